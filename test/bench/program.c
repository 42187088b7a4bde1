#define _GNU_SOURCE
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a pipe holds: up to this much is written before there is anybody who reads. */
enum { PIPE_CAPACITY = 65536 };
/* Far more than a result has. */
enum { OUTPUT_CAPACITY = 65536 };

struct ends {
  int out, in;
};

/* No other thread's program gets these: it would hold them open. */
static struct ends make_pipe(void) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) give_up("Cannot make a pipe: %s", strerror(errno));
  return (struct ends){.out = fds[0], .in = fds[1]};
}

/* The config, and in it the result as "prevResult". The config is an object that is not empty. */
static int input_of(const struct program *program, const char *result) {
  struct ends pipe = make_pipe();
  char text[PIPE_CAPACITY];
  int has_result = result != NULL && *result != '\0' && *program->input != '\0';
  size_t config = strlen(program->input) - (size_t)has_result;
  int length = has_result ? snprintf(text, sizeof text, "%.*s,\"prevResult\":%s}", (int)config, program->input, result)
                          : snprintf(text, sizeof text, "%s", program->input);
  if ((size_t)length >= sizeof text || write(pipe.in, text, (size_t)length) != length)
    give_up("Cannot start %s: its config has more than 64 KiB", program->argv[0]);
  close(pipe.in);
  return pipe.out;
}

static char *read_all(int fd) {
  char *text = malloc(OUTPUT_CAPACITY);
  size_t length = 0;
  for (ssize_t got; text != NULL && (got = read(fd, text + length, OUTPUT_CAPACITY - 1 - length)) != 0;) {
    if (got < 0 && errno != EINTR) give_up("Cannot read an answer: %s", strerror(errno));
    if (got > 0) length += (size_t)got;
    if (length == OUTPUT_CAPACITY - 1) give_up("Cannot read an answer: it has more than 64 KiB");
  }
  if (text == NULL) give_up("Cannot read an answer: no memory");
  text[length] = '\0';
  close(fd);
  return text;
}

static pid_t start(const struct program *program, char **env, int input, int output) {
  posix_spawn_file_actions_t actions;
  pid_t pid;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  int error = posix_spawn(&pid, program->argv[0], &actions, NULL, program->argv, env);
  if (error != 0) give_up("Cannot start %s: %s", program->argv[0], strerror(error));
  posix_spawn_file_actions_destroy(&actions);
  close(input);
  close(output);
  return pid;
}

static int64_t microseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000 + time.tv_usec; }

char *run_program(const struct program *program, char **env, const char *result, struct cost *cost) {
  struct ends output = make_pipe();
  pid_t pid = start(program, env, input_of(program, result), output.in);
  char *answer = read_all(output.out);
  struct rusage usage;
  int status;
  while (wait4(pid, &status, 0, &usage) < 0)
    if (errno != EINTR) give_up("Cannot wait for %s: %s", program->argv[0], strerror(errno));
  if (status != 0) give_up("Cannot go on: %s with %s ended with %d: %s", program->argv[0], *env, status, answer);
  cost->cpu_microseconds += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
  if (usage.ru_maxrss > cost->memory) cost->memory = usage.ru_maxrss;
  return answer;
}
