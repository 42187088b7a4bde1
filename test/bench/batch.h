/* What the benchmark asks of its runner: jobs, as text that runner.ts writes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One program to start; what it gets on standard input may be NULL. */
struct program {
  char **argv;
  char *input;
};

/* One link that the runner makes or deletes itself, by netlink. */
struct link_job {
  char *verb, *veth, *bridge, *netns, *ifname, *address, *gateway;
  uint8_t prefix;
};

/* What a job took. */
struct cost {
  int64_t nanoseconds, cpu_microseconds;
  /* Kilobytes, of the largest process. */
  long memory;
};

/*
 * One operation on one attachment: programs one after the other, each of which gets the result of the one before, or a
 * link without any program. The last result is kept in a slot, for the attachment's next operation.
 */
struct job {
  size_t slot;
  bool starts_anew;
  char **env;
  struct program *programs;
  size_t program_count;
  struct link_job *link;
  struct cost cost;
};

struct batch {
  char *text;
  struct job *jobs;
  size_t job_count, worker_count, slot_count;
};

/* Reads the next batch from standard input; false at its end. Ends the program when it is none. */
bool read_batch(struct batch *batch);

void free_batch(struct batch *batch);

/* Ends the program with a sentence on standard error. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
