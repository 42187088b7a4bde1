/*
 * The latency of a request between two pods, over one TCP connection: a byte there, a byte back, again and again; and
 * that of a new connection.
 *
 *   pingpong serve ADDRESS PORT            answers one connection after the other
 *   pingpong ask ADDRESS PORT COUNT        prints the nanoseconds of each request, one a line
 *   pingpong open ADDRESS PORT COUNT       prints the nanoseconds of each connection until it was there, one a line
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void give_up(const char *what) {
  fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct sockaddr_in address_of(char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) give_up("read the address");
  return address;
}

static int open_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) give_up("open a socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return fd;
}

static _Noreturn void serve(struct sockaddr_in address) {
  int server = open_socket();
  if (bind(server, (struct sockaddr *)&address, sizeof address) < 0) give_up("bind");
  if (listen(server, 16) < 0) give_up("listen");
  for (;;) {
    int fd = accept(server, NULL, NULL);
    if (fd < 0) give_up("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    for (char byte; read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1;) continue;
    close(fd);
  }
}

static int64_t *allocate(size_t count) {
  int64_t *times = calloc(count, sizeof *times);
  if (times == NULL) give_up("keep the times");
  return times;
}

static void request(int fd) {
  char byte = 0;
  if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) give_up("ask");
}

static void print(const int64_t *times, size_t count) {
  for (size_t i = 0; i < count; i++) printf("%" PRId64 "\n", times[i]);
}

static void ask(struct sockaddr_in address, size_t count) {
  int64_t *times = allocate(count);
  int fd = open_socket();
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) give_up("connect");
  for (size_t i = 0; i < count; i++) {
    int64_t start = now();
    request(fd);
    times[i] = now() - start;
  }
  print(times, count);
}

static void open_connections(struct sockaddr_in address, size_t count) {
  int64_t *times = allocate(count);
  for (size_t i = 0; i < count; i++) {
    int fd = open_socket();
    int64_t start = now();
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) give_up("connect");
    times[i] = now() - start;
    // When this is answered the server has taken the connection: they do not pile up.
    request(fd);
    // It ends with an RST, and leaves no port behind that waits for late packets.
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
  }
  print(times, count);
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "serve") == 0) serve(address_of(argv));
  if (argc != 5) return EXIT_FAILURE;
  size_t count = strtoul(argv[4], NULL, 10);
  if (strcmp(argv[1], "ask") == 0) ask(address_of(argv), count);
  else if (strcmp(argv[1], "open") == 0) open_connections(address_of(argv), count);
  else return EXIT_FAILURE;
}
