/*
 * Who reaches whom over TCP and UDP: both ends, in one static program that runs in any image.
 *
 *   prober serve NAME PORT...            answers at all ports with "NAME PEER", then with whatever it is sent; prints
 *                                        "PROTOCOL PORT PEER" when it hears a peer there for the first time
 *   prober ask MILLISECONDS              for each line of stdin, TARGET..., asks all at once; prints a line for each, in
 *                                        their order: "NAME PEER" as it was answered, "silent", or "failed: " and why;
 *                                        and an empty line
 *   prober hold TARGET                   keeps a connection busy until it ends; prints a line for each answer
 *   prober flood MILLISECONDS TARGET...  sends a first packet to each target again and again, all that often
 *
 * A TARGET is tcp:PORT:ADDRESS or udp:PORT:ADDRESS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 256, TICK_MS = 50, TARGETS = 1024 };

struct target {
  int type;
  struct sockaddr_in6 address;
};

static _Noreturn void give_up(const char *what) {
  fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* IPv4 addresses are mapped ones everywhere here, so that one kind of socket does for both families. */
static struct target parse_target(const char *text) {
  struct target target = {.type = strncmp(text, "udp:", 4) == 0 ? SOCK_DGRAM : SOCK_STREAM};
  char *rest = NULL;
  char mapped[TEXT];
  target.address.sin6_family = AF_INET6;
  target.address.sin6_port = htons((uint16_t)strtoul(text + 4, &rest, 10));
  const char *address = *rest == ':' ? rest + 1 : "";
  snprintf(mapped, sizeof mapped, "%s%s", strchr(address, ':') ? "" : "::ffff:", address);
  if (inet_pton(AF_INET6, mapped, &target.address.sin6_addr) != 1) {
    fprintf(stderr, "Cannot read the target %s\n", text);
    exit(EXIT_FAILURE);
  }
  return target;
}

static struct target *parse_targets(char **texts, int count) {
  struct target *targets = calloc((size_t)count, sizeof *targets);
  for (int i = 0; i < count; i++) targets[i] = parse_target(texts[i]);
  return targets;
}

static const char *format(const struct in6_addr *address) {
  static char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, address, text, sizeof text);
  return strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
}

static int open_socket(int type) {
  int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) give_up("open a socket");
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
  return fd;
}

/* Starts a connection; for UDP that only fixes the other end. A failure is seen at the first write. */
static int reach(const struct target *target) {
  int fd = open_socket(target->type);
  if (connect(fd, (const struct sockaddr *)&target->address, sizeof target->address) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Ends a TCP connection at once, so that thousands of them leave nothing behind. */
static void drop(int fd) {
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  close(fd);
}

/* serve */

/* Told once each. There are few: a peer is an address and not one of its ports. */
static void tell(const char *protocol, int port, const struct in6_addr *peer) {
  static char heard[65536][64];
  static size_t count;
  char line[64];
  snprintf(line, sizeof line, "%s %d %s", protocol, port, format(peer));
  for (size_t i = 0; i < count; i++)
    if (strcmp(heard[i], line) == 0) return;
  if (count < sizeof heard / sizeof heard[0]) strcpy(heard[count++], line);
  puts(line);
}

static int compose(char *text, const char *name, const struct in6_addr *peer) {
  return snprintf(text, TEXT, "%s %s\n", name, format(peer));
}

/* Answers with the address that was asked: a node has several. */
static void answer_datagrams(int fd, const char *name, int port) {
  char data[TEXT], control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
  for (;;) {
    struct sockaddr_in6 peer;
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {.msg_name = &peer,
                             .msg_namelen = sizeof peer,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, 0) < 0) return;
    tell("udp", port, &peer.sin6_addr);
    struct cmsghdr *asked = CMSG_FIRSTHDR(&message);
    if (asked) ((struct in6_pktinfo *)CMSG_DATA(asked))->ipi6_ifindex = 0;
    part.iov_len = (size_t)compose(data, name, &peer.sin6_addr);
    sendmsg(fd, &message, MSG_DONTWAIT);
  }
}

static void accept_connections(int poll, int server, const char *name, int port) {
  for (;;) {
    struct sockaddr_in6 peer;
    char text[TEXT];
    int fd = accept4(server, (struct sockaddr *)&peer, &(socklen_t){sizeof peer}, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    tell("tcp", port, &peer.sin6_addr);
    send(fd, text, (size_t)compose(text, name, &peer.sin6_addr), MSG_NOSIGNAL);
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.u64 = (uint64_t)fd});
  }
}

static void echo(int fd) {
  char data[TEXT];
  ssize_t size = recv(fd, data, sizeof data, 0);
  if (size > 0)
    send(fd, data, (size_t)size, MSG_NOSIGNAL);
  else if (size == 0 || errno != EAGAIN)
    close(fd);
}

/* An event is known by its socket, and a socket that listens by its port and type as well. */
static void listen_at(int poll, int type, int port) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  int fd = open_socket(type);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){type == SOCK_DGRAM}, sizeof(int));
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) give_up("bind");
  if (type == SOCK_STREAM && listen(fd, 1024) < 0) give_up("listen");
  uint64_t data = (uint64_t)fd | (uint64_t)port << 32 | (uint64_t)type << 48;
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.u64 = data});
}

static _Noreturn void serve(const char *name, char **ports) {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (; *ports; ports++) {
    listen_at(poll, SOCK_STREAM, atoi(*ports));
    listen_at(poll, SOCK_DGRAM, atoi(*ports));
  }
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      uint64_t data = events[i].data.u64;
      int fd = (int)(data & 0xffffffff), port = (int)(data >> 32 & 0xffff), type = (int)(data >> 48);
      if (type == SOCK_DGRAM)
        answer_datagrams(fd, name, port);
      else if (type == SOCK_STREAM)
        accept_connections(poll, fd, name, port);
      else
        echo(fd);
    }
  }
}

/* ask */

static void say(char *answer, const char *pattern, ...) {
  va_list values;
  va_start(values, pattern);
  vsnprintf(answer, TEXT, pattern, values);
  va_end(values);
}

/* Reads what has come; whether the target is done with. */
static int take(int fd, char *answer) {
  char text[TEXT];
  ssize_t size = recv(fd, text, sizeof text - 1, 0);
  if (size < 0 && (errno == EAGAIN || errno == ENOTCONN)) return 0;
  if (size <= 0) {
    say(answer, "failed: %s", size < 0 ? strerror(errno) : "closed");
    return 1;
  }
  text[size] = 0;
  text[strcspn(text, "\n")] = 0;
  say(answer, "%s", text);
  return 1;
}

/* A datagram may be lost, so each is sent again when a third of the time has passed. */
static void send_datagrams(const struct target *targets, const struct pollfd *sockets, int count) {
  for (int i = 0; i < count; i++)
    if (targets[i].type == SOCK_DGRAM && sockets[i].fd >= 0) send(sockets[i].fd, "?", 1, MSG_NOSIGNAL);
}

static void ask(int patience, const struct target *targets, int count) {
  struct pollfd *sockets = calloc((size_t)count, sizeof *sockets);
  char(*answers)[TEXT] = calloc((size_t)count, TEXT);
  int64_t began = now_ms(), again = began + patience / 3, end = began + patience;
  int open = count;
  for (int i = 0; i < count; i++) {
    sockets[i] = (struct pollfd){.fd = reach(&targets[i]), .events = POLLIN};
    say(answers[i], "silent");
    if (sockets[i].fd >= 0) continue;
    say(answers[i], "failed: %s", strerror(errno));
    open--;
  }
  send_datagrams(targets, sockets, count);
  for (int64_t now = began; open > 0 && now < end; now = now_ms()) {
    if (again > 0 && now >= again) {
      send_datagrams(targets, sockets, count);
      again = 0;
    }
    poll(sockets, (nfds_t)count, (int)((again > 0 ? again : end) - now));
    for (int i = 0; i < count; i++) {
      if (sockets[i].fd < 0 || sockets[i].revents == 0 || !take(sockets[i].fd, answers[i])) continue;
      drop(sockets[i].fd);
      sockets[i].fd = -1;
      open--;
    }
  }
  for (int i = 0; i < count; i++) {
    if (sockets[i].fd >= 0) drop(sockets[i].fd);
    puts(answers[i]);
  }
  free(sockets);
  free(answers);
}

static void answer_questions(int patience) {
  static struct target targets[TARGETS];
  char *line = NULL;
  for (size_t size = 0; getline(&line, &size, stdin) > 0;) {
    int count = 0;
    for (char *word = strtok(line, " \n"); word && count < TARGETS; word = strtok(NULL, " \n"))
      targets[count++] = parse_target(word);
    ask(patience, targets, count);
    puts("");
    fflush(stdout);
  }
}

/* hold */

static void hold(const struct target *target) {
  struct pollfd socket = {.fd = reach(target), .events = POLLIN};
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (char answer[TEXT]; socket.fd >= 0;) {
    send(socket.fd, "?", 1, MSG_NOSIGNAL);
    poll(&socket, 1, TICK_MS);
    if (take(socket.fd, answer)) puts(answer);
    if (strncmp(answer, "failed", 6) == 0) return;
    nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000}, NULL);
  }
}

/* flood */

static _Noreturn void flood(int pause, const struct target *targets, int count) {
  int *sockets = calloc((size_t)count, sizeof *sockets);
  for (int i = 0; i < count; i++) sockets[i] = -1;
  for (unsigned round = 0;; round++) {
    for (int i = 0; i < count; i++) {
      /* A connection that is not answered sends its SYN again after a second: a new one does so now. */
      if (targets[i].type == SOCK_STREAM && sockets[i] >= 0) {
        drop(sockets[i]);
        sockets[i] = -1;
      }
      if (sockets[i] < 0) sockets[i] = reach(&targets[i]);
      if (targets[i].type == SOCK_DGRAM) send(sockets[i], "!", 1, MSG_NOSIGNAL);
    }
    nanosleep(&(struct timespec){.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000L}, NULL);
  }
}

int main(int argc, char **argv) {
  const char *verb = argc > 2 ? argv[1] : "";
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 65536, .rlim_max = 65536});
  if (strcmp(verb, "serve") == 0) serve(argv[2], argv + 3);
  if (strcmp(verb, "hold") == 0) {
    struct target target = parse_target(argv[2]);
    hold(&target);
    return EXIT_SUCCESS;
  }
  if (strcmp(verb, "ask") == 0) {
    answer_questions(atoi(argv[2]));
    return EXIT_SUCCESS;
  }
  if (strcmp(verb, "flood") == 0) flood(atoi(argv[2]), parse_targets(argv + 3, argc - 3), argc - 3);
  fputs("Cannot tell what to do: the first word is serve, ask, hold or flood\n", stderr);
  return EXIT_FAILURE;
}
