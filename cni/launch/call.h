/* A call for podwired. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The limit of cni/edge/fd.ts. */
enum { MAX_STDIN = 4 * 1024 * 1024 };

/* The bytes that podwired gets: head, variables, and from `start` on standard input. */
struct call {
  char *bytes;
  size_t start, input;
};

/* Gathers all but standard input, and leaves room for MAX_STDIN + 1 bytes of that; false when there is no memory. */
bool gather(struct call *call, const char *program);

/* Offers a call to podwired. Returns when it is not taken, and else ends with the answer or an error. */
void offer(const struct call *call);
