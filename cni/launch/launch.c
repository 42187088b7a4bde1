/*
 * The launcher: what a container runtime starts as the plugin. It is there at once, which Node.js is not, and offers
 * the call to podwired, which has been there all along (call.c draws how they talk):
 *
 *   podwired takes it              the launcher prints the answer, or fails; it never carries the call out itself
 *   it is absent, refuses,         the launcher becomes the Node.js executable in podwire.d beside it, with the same
 *   is silent for 2 s              environment and standard input, and with the libraries that lie there
 */
#define _GNU_SOURCE
#include "call.h"
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "LD_LIBRARY_PATH="

/* The patience of cni/edge/fd.ts. */
enum { INPUT_MS = 10000 };

/* The folder of the Node.js executable, and later a file in it. */
static char inner[PATH_MAX + sizeof "/podwire.d/podwire-ipam"];

/* A descriptor that is closed would become the socket's. */
static bool has_standard_streams(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return false;
  return true;
}

/* The program that is wanted, as programName() of cni/main.ts decides. */
static const char *program_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return strcmp(slash == NULL ? path : slash + 1, "podwire-ipam") == 0 ? "podwire-ipam" : "podwire";
}

/* Reads standard input; one byte more than may be, when there is more. */
static void read_input(struct call *call) {
  ssize_t length = get(STDIN_FILENO, call->bytes + call->start, MAX_STDIN + 1, now() + INPUT_MS);
  if (length < 0 && errno == ETIMEDOUT)
    fail(IO, "read standard input", "it stayed open for 10 s", "close it after the config");
  if (length < 0) fail(IO, "read standard input", strerror(errno), "give it a network config");
  call->input = (size_t)length;
}

/* Makes what was read standard input again. */
static void replay(const struct call *call) {
  int fd = memfd_create("stdin", 0);
  if (fd < 0 || !put(fd, call->bytes + call->start, call->input, now() + INPUT_MS) || lseek(fd, 0, SEEK_SET) < 0 ||
      dup2(fd, STDIN_FILENO) < 0)
    fail(IO, "hand on standard input", strerror(errno), "try again");
  close(fd);
}

static bool find_inner(void) {
  ssize_t length = readlink("/proc/self/exe", inner, PATH_MAX);
  char *slash = length > 0 && length < PATH_MAX ? memrchr(inner, '/', (size_t)length) : NULL;
  if (slash != NULL) strcpy(slash, "/podwire.d");
  return slash != NULL;
}

/* podwired's installer makes `ready` a link to what is there only when pods can be wired. */
static void refuse_early(const char *command) {
  struct stat link;
  char *end = strchr(inner, '\0');
  strcpy(end, "/ready");
  bool is_early = lstat(inner, &link) == 0 && access(inner, F_OK) < 0;
  *end = '\0';
  const char *state = "podwired has not come up since this node was started";
  if (is_early && strcmp(command, "ADD") == 0) fail(TRY_AGAIN, "wire pods yet", state, "try again");
  if (is_early && strcmp(command, "STATUS") == 0) fail(NOT_AVAILABLE, "wire pods yet", state, "try again");
}

/* Our environment, but with the folder before those that the dynamic loader searches; NULL when there is no memory. */
static char **environment(void) {
  const char *former = getenv("LD_LIBRARY_PATH");
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **all = malloc((count + 2) * sizeof *all);
  char *own = malloc(sizeof LIBRARY + strlen(inner) + 1 + (former == NULL ? 0 : strlen(former)));
  if (all == NULL || own == NULL) return NULL;
  char *end = stpcpy(stpcpy(own, LIBRARY), inner);
  if (former != NULL && *former != '\0') stpcpy(stpcpy(end, ":"), former);
  *all = own;
  size_t length = 1;
  for (char **each = environ; *each != NULL; each++)
    if (strncmp(*each, LIBRARY, strlen(LIBRARY)) != 0) all[length++] = *each;
  all[length] = NULL;
  return all;
}

static _Noreturn void execute(const char *program, char **argv) {
  char **all = environment();
  if (all != NULL) {
    stpcpy(stpcpy(strchr(inner, '\0'), "/"), program);
    argv[0] = inner;
    signal(SIGPIPE, SIG_DFL);
    execve(inner, argv, all);
  }
  fail(IO, "start the program in podwire.d", strerror(errno), "install Podwire again");
}

int main(int argc, char **argv) {
  if (argc < 1 || !has_standard_streams()) return EXIT_FAILURE;
  signal(SIGPIPE, SIG_IGN);
  const char *program = program_of(argv[0]);
  const char *command = getenv("CNI_COMMAND");
  struct call call;
  /* Without a command, or with arguments, somebody calls by hand. */
  if (argc == 1 && command != NULL && *command != '\0' && gather(&call, program)) {
    read_input(&call);
    if (call.input <= MAX_STDIN) offer(&call);
    replay(&call);
  }
  if (!find_inner()) fail(IO, "find podwire.d", strerror(errno), "mount /proc");
  if (command != NULL) refuse_early(command);
  execute(program, argv);
}
