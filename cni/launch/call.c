/*
 * How the launcher talks with podwired, in the byte order of the machine that both are on (daemon/core/frame.ts is the
 * other side):
 *
 *   launcher   head, variables, standard input      one call
 *   podwired   T or N                               taken, or not one for podwired
 *   launcher   G                                    go: from here on nobody else will carry it out
 *   podwired   head, standard output, standard error
 *
 * Until its G the launcher may leave at any time, and podwired has done nothing.
 */
#define _GNU_SOURCE
#include "call.h"
#include "fd.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "/run/podwire/podwired.sock"

/* How long podwired may take to take a call, then to answer it. */
enum { TAKE_MS = 2000, ANSWER_MS = 120000 };
/* Far more than any answer; a length above it is none. */
enum { MAX_ANSWER = 64 * 1024 * 1024 };

struct call_head {
  char magic[4];
  uint32_t variables, input, zero;
  /* What a path means here: the inode of our mount namespace, and where CNI_NETNS leads. */
  uint64_t mounts, netns_dev, netns_ino;
};
struct answer_head {
  uint32_t code, output, errors;
};
_Static_assert(sizeof(struct call_head) == 40 && sizeof(struct answer_head) == 12, "no padding");

static bool is_ours(const char *variable) {
  return (strncmp(variable, "CNI_", 4) == 0 || strncmp(variable, "PODWIRE_", 8) == 0) && strchr(variable, '=') != NULL;
}

static struct stat look(const char *path) {
  struct stat found;
  return path != NULL && stat(path, &found) == 0 ? found : (struct stat){0};
}

bool gather(struct call *call, const char *program) {
  size_t length = sizeof(struct call_head) + strlen(program) + 1;
  for (char **each = environ; *each != NULL; each++)
    if (is_ours(*each)) length += strlen(*each) + 1;
  /* execve() limits the variables to some megabytes. */
  *call = (struct call){.bytes = malloc(length + MAX_STDIN + 1), .start = length};
  if (call->bytes == NULL) return false;
  char *end = stpcpy(call->bytes + sizeof(struct call_head), program) + 1;
  for (char **each = environ; *each != NULL; each++)
    if (is_ours(*each)) end = stpcpy(end, *each) + 1;
  return true;
}

static void write_head(const struct call *call) {
  struct stat mounts = look("/proc/self/ns/mnt"), netns = look(getenv("CNI_NETNS"));
  struct call_head head = {.magic = {'P', 'D', 'W', '1'},
                           .variables = (uint32_t)(call->start - sizeof head),
                           .input = (uint32_t)call->input,
                           .mounts = mounts.st_ino,
                           .netns_dev = netns.st_dev,
                           .netns_ino = netns.st_ino};
  memcpy(call->bytes, &head, sizeof head);
}

/* Connects; -1 when there is nobody. */
static int reach(int64_t deadline) {
  const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (int64_t left; fd >= 0 && (left = deadline - now()) > 0;) {
    /* This bounds connect() when the backlog is full; a non-blocking one would fail there at once. */
    struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) break;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (errno != EINTR) break;
  }
  if (fd >= 0) close(fd);
  return -1;
}

/* Lets podwired begin, and ends with its answer. */
static _Noreturn void finish(int fd) {
  int64_t deadline = now() + ANSWER_MS;
  struct answer_head head;
  if (put(fd, "G", 1, deadline) && get(fd, &head, sizeof head, deadline) == sizeof head) {
    size_t length = (size_t)head.output + head.errors;
    char *text = length <= MAX_ANSWER ? malloc(length + 1) : NULL;
    if (text != NULL && get(fd, text, length, deadline) == (ssize_t)length) {
      bool is_said = say(STDOUT_FILENO, text, head.output);
      say(STDERR_FILENO, text + head.output, head.errors);
      exit(is_said && head.code <= UINT8_MAX ? (int)head.code : EXIT_FAILURE);
    }
  }
  fail(TRY_AGAIN, "tell how the call ended", "podwired took it and did not answer", "try again");
}

void offer(const struct call *call) {
  int64_t deadline = now() + TAKE_MS;
  int fd = reach(deadline);
  if (fd < 0) return;
  char reply;
  write_head(call);
  if (put(fd, call->bytes, call->start + call->input, deadline) && get(fd, &reply, 1, deadline) == 1 && reply == 'T')
    finish(fd);
  close(fd);
}
