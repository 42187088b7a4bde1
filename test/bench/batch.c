/*
 * A batch is its length in bytes as a line, then that many bytes: fields, each with a NUL at its end. Numbers are
 * decimal; a list is its length, then its items.
 */
#define _GNU_SOURCE
#include "batch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is left to read. */
struct fields {
  char *next, *end;
};

void give_up(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  _exit(EXIT_FAILURE);
}

static void *allocate(size_t count, size_t size) {
  void *found = calloc(count + 1, size);
  if (found == NULL) give_up("Cannot read a batch: no memory");
  return found;
}

static char *text(struct fields *fields) {
  if (fields->next >= fields->end) give_up("Cannot read a batch: it ends too early");
  char *found = fields->next;
  fields->next += strlen(found) + 1;
  return found;
}

static size_t number(struct fields *fields) { return strtoul(text(fields), NULL, 10); }

/* A list that ends with NULL, as argv does. */
static char **list(struct fields *fields) {
  size_t count = number(fields);
  char **items = allocate(count, sizeof *items);
  for (size_t i = 0; i < count; i++) items[i] = text(fields);
  return items;
}

static struct link_job *read_link(struct fields *fields) {
  struct link_job *link = allocate(1, sizeof *link);
  char **all[] = {&link->verb, &link->veth, &link->bridge, &link->netns, &link->ifname, &link->address, &link->gateway};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = text(fields);
  link->prefix = (uint8_t)number(fields);
  return link;
}

static void read_job(struct job *job, struct fields *fields) {
  const char *kind = text(fields);
  job->slot = number(fields);
  if (strcmp(kind, "link") == 0) {
    job->link = read_link(fields);
    return;
  }
  job->starts_anew = number(fields) == 1;
  job->env = list(fields);
  job->program_count = number(fields);
  job->programs = allocate(job->program_count, sizeof *job->programs);
  for (size_t i = 0; i < job->program_count; i++)
    job->programs[i] = (struct program){.argv = list(fields), .input = text(fields)};
}

bool read_batch(struct batch *batch) {
  size_t length;
  int found = scanf("%zu%*1[\n]", &length);
  if (found == EOF) return false;
  if (found != 1) give_up("Cannot read a batch: it does not begin with its length");
  *batch = (struct batch){.text = allocate(length, 1)};
  if (fread(batch->text, 1, length, stdin) != length) give_up("Cannot read a batch: it is cut off");
  struct fields fields = {.next = batch->text, .end = batch->text + length};
  batch->worker_count = number(&fields);
  batch->slot_count = number(&fields);
  batch->job_count = number(&fields);
  batch->jobs = allocate(batch->job_count, sizeof *batch->jobs);
  for (size_t i = 0; i < batch->job_count; i++) {
    read_job(&batch->jobs[i], &fields);
    if (batch->jobs[i].slot >= batch->slot_count) give_up("Cannot read a batch: there is no slot %zu", batch->jobs[i].slot);
  }
  return true;
}

void free_batch(struct batch *batch) {
  for (size_t i = 0; i < batch->job_count; i++) {
    struct job *job = &batch->jobs[i];
    for (size_t p = 0; p < job->program_count; p++) free(job->programs[p].argv);
    free(job->programs);
    free(job->env);
    free(job->link);
  }
  free(batch->jobs);
  free(batch->text);
}
