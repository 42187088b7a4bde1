/* Reading and writing with a deadline, and the end of a call that failed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Codes of cni/spec/error.ts, as text. */
#define IO "5"
#define TRY_AGAIN "11"
#define NOT_AVAILABLE "50"

/* Milliseconds since the machine was started. */
int64_t now(void);

/* Reads up to a length or the end; how much there was, or -1 with errno when that fails or takes longer. */
ssize_t get(int fd, void *bytes, size_t length, int64_t deadline);

/* Writes all; false with errno when that fails or takes longer. */
bool put(int fd, const void *bytes, size_t length, int64_t deadline);

/* put() for standard output and standard error, with as much patience as cni/edge/fd.ts has. */
bool say(int fd, const char *text, size_t length);

/*
 * Ends with the JSON of the CNI specification, section "Error": Cannot ACTION: STATE; ADVICE. Nothing is escaped: all
 * texts are our own or the C library's.
 */
_Noreturn void fail(const char *code, const char *action, const char *state, const char *advice);
