#define _GNU_SOURCE
#include "fd.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bool wait_for(int fd, short event, int64_t deadline) {
  struct pollfd entry = {.fd = fd, .events = event};
  /* A signal ends poll() early with -1; then the rest of the time is left. */
  for (int64_t left; (left = deadline - now()) > 0;)
    if (poll(&entry, 1, (int)left) > 0) return true;
  errno = ETIMEDOUT;
  return false;
}

static bool may_try_again(void) {
  return errno == EINTR || errno == EAGAIN;
}

ssize_t get(int fd, void *bytes, size_t length, int64_t deadline) {
  size_t got = 0;
  while (got < length) {
    if (!wait_for(fd, POLLIN, deadline)) return -1;
    ssize_t more = read(fd, (char *)bytes + got, length - got);
    if (more == 0) break;
    if (more > 0) got += (size_t)more;
    else if (!may_try_again()) return -1;
  }
  return (ssize_t)got;
}

bool put(int fd, const void *bytes, size_t length, int64_t deadline) {
  for (size_t done = 0; done < length;) {
    if (!wait_for(fd, POLLOUT, deadline)) return false;
    /* So much a pipe or socket takes at once when poll() calls it writable: a reader who stops cannot hold us. */
    size_t left = length - done;
    ssize_t more = write(fd, (const char *)bytes + done, left < PIPE_BUF ? left : PIPE_BUF);
    if (more > 0) done += (size_t)more;
    else if (!may_try_again()) return false;
  }
  return true;
}

bool say(int fd, const char *text, size_t length) {
  return put(fd, text, length, now() + PATIENCE_MS);
}

void fail(const char *code, const char *action, const char *state, const char *advice) {
  const char *parts[] = {"{\"cniVersion\": \"1.0.0\", \"code\": ", code, ", \"msg\": \"Cannot ", action, ": ", state,
                         "; ", advice, "\"}\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) say(STDOUT_FILENO, parts[i], strlen(parts[i]));
  exit(1);
}
