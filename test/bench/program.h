/* A plugin, started as a container runtime starts it. */
#pragma once
#include "batch.h"

/*
 * Starts a program, gives it its config with the result before it, if there is one, and waits for its end. Adds to
 * `cost` what the program used, with all that it started and waited for. Answers its standard output, to be freed.
 * Ends this program when that one fails.
 */
char *run_program(const struct program *program, char **env, const char *result, struct cost *cost);
