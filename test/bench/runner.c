/*
 * Starts plugins as a container runtime does, many times, and says how long each took. Node.js takes milliseconds to
 * start a program, and not always the same; this takes a tenth of one. Usage: runner <BATCHES, see batch.c
 *
 * For each batch it prints a line for each job, in their order: nanoseconds, microseconds of CPU, kilobytes of the largest
 * process; then the nanoseconds of the whole batch.
 */
#define _GNU_SOURCE
#include "batch.h"
#include "floor.h"
#include "program.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_WORKERS = 256 };

/* What the threads share. */
struct work {
  struct batch batch;
  /* The last result of each attachment; outlives the batch. */
  char **results;
  atomic_size_t next;
  pthread_barrier_t start;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void keep(char **slot, char *result) {
  free(*slot);
  *slot = result;
}

static void run_programs(struct job *job, char **result) {
  for (size_t i = 0; i < job->program_count; i++) {
    char *answer = run_program(&job->programs[i], job->env, *result, &job->cost);
    if (*answer == '\0') free(answer);
    else keep(result, answer);
  }
}

static void run_job(struct job *job, char **result) {
  if (job->starts_anew) keep(result, NULL);
  int64_t start = now();
  if (job->link == NULL) run_programs(job, result);
  else run_link(job->link);
  job->cost.nanoseconds = now() - start;
}

static void *run_worker(void *argument) {
  struct work *work = argument;
  pthread_barrier_wait(&work->start);
  for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->batch.job_count;)
    run_job(&work->batch.jobs[i], &work->results[work->batch.jobs[i].slot]);
  return NULL;
}

/* Runs all jobs; answers the nanoseconds from the first one's start to the last one's end. */
static int64_t run_batch(struct work *work) {
  pthread_t workers[MAX_WORKERS];
  size_t count = work->batch.worker_count;
  if (count < 1 || count > MAX_WORKERS) give_up("Cannot run a batch with %zu workers", count);
  atomic_store(&work->next, 0);
  pthread_barrier_init(&work->start, NULL, (unsigned)count + 1);
  for (size_t i = 0; i < count; i++)
    if (pthread_create(&workers[i], NULL, run_worker, work) != 0) give_up("Cannot start a thread");
  int64_t start = now();
  pthread_barrier_wait(&work->start);
  for (size_t i = 0; i < count; i++) pthread_join(workers[i], NULL);
  int64_t took = now() - start;
  pthread_barrier_destroy(&work->start);
  return took;
}

static void print(const struct batch *batch, int64_t took) {
  for (size_t i = 0; i < batch->job_count; i++) {
    const struct cost *cost = &batch->jobs[i].cost;
    printf("%" PRId64 " %" PRId64 " %ld\n", cost->nanoseconds, cost->cpu_microseconds, cost->memory);
  }
  printf("%" PRId64 "\n", took);
  fflush(stdout);
}

int main(void) {
  struct work work = {0};
  size_t slot_count = 0;
  while (read_batch(&work.batch)) {
    if (work.batch.slot_count > slot_count) {
      work.results = realloc(work.results, work.batch.slot_count * sizeof *work.results);
      if (work.results == NULL) give_up("Cannot keep results: no memory");
      memset(work.results + slot_count, 0, (work.batch.slot_count - slot_count) * sizeof *work.results);
      slot_count = work.batch.slot_count;
    }
    print(&work.batch, run_batch(&work));
    free_batch(&work.batch);
  }
  return EXIT_SUCCESS;
}
