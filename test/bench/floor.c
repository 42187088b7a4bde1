#define _GNU_SOURCE
#include "floor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CAPACITY = 1024, ANSWER_CAPACITY = 16384 };

/* A message as it grows: a head, the fixed part of its kind, attributes. */
struct message {
  struct nlmsghdr head;
  char body[CAPACITY];
};

static void *grow(struct message *message, size_t length) {
  void *place = (char *)message + message->head.nlmsg_len;
  message->head.nlmsg_len += (uint32_t)NLMSG_ALIGN(length);
  if (message->head.nlmsg_len > sizeof *message) give_up("Cannot make a netlink message: it is too long");
  return place;
}

static void begin(struct message *message, uint16_t type, uint16_t flags, const void *fixed, size_t length) {
  memset(message, 0, sizeof *message);
  message->head = (struct nlmsghdr){.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
  memcpy(grow(message, length), fixed, length);
}

static struct rtattr *put(struct message *message, uint16_t type, const void *value, size_t length) {
  struct rtattr *attribute = grow(message, RTA_LENGTH(length));
  *attribute = (struct rtattr){.rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type};
  if (length > 0) memcpy(RTA_DATA(attribute), value, length);
  return attribute;
}

static void put_text(struct message *message, uint16_t type, const char *text) {
  put(message, type, text, strlen(text) + 1);
}

/* Makes an attribute hold all that has come since. */
static void end(struct message *message, struct rtattr *outer) {
  outer->rta_len = (uint16_t)((char *)message + message->head.nlmsg_len - (char *)outer);
}

/* Sends a message; answers the index of the link in the first answer, which is 0 in a mere acknowledgement. */
static int ask(int fd, const struct message *message, const char *what) {
  char answer[ANSWER_CAPACITY] __attribute__((aligned(NLMSG_ALIGNTO)));
  if (send(fd, message, message->head.nlmsg_len, 0) < 0) give_up("Cannot %s: %s", what, strerror(errno));
  if (recv(fd, answer, sizeof answer, 0) < 0) give_up("Cannot %s: %s", what, strerror(errno));
  const struct nlmsghdr *head = (const void *)answer;
  if (head->nlmsg_type == RTM_NEWLINK) return ((const struct ifinfomsg *)NLMSG_DATA(head))->ifi_index;
  int error = ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
  if (error != 0) give_up("Cannot %s: %s", what, strerror(-error));
  return 0;
}

static int open_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) give_up("Cannot open a netlink socket: %s", strerror(errno));
  return fd;
}

static int open_netns(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) give_up("Cannot open %s: %s", path, strerror(errno));
  return fd;
}

/* A socket belongs for life to the namespace that its thread was in. */
static int open_socket_in(int netns) {
  int own = open_netns("/proc/thread-self/ns/net");
  if (setns(netns, CLONE_NEWNET) < 0) give_up("Cannot enter a namespace: %s", strerror(errno));
  int fd = open_socket();
  if (setns(own, CLONE_NEWNET) < 0) give_up("Cannot leave a namespace: %s", strerror(errno));
  close(own);
  return fd;
}

static int index_of(int fd, const char *name) {
  struct message message;
  begin(&message, RTM_GETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
  put_text(&message, IFLA_IFNAME, name);
  return ask(fd, &message, "find a link");
}

static void add_veth(int fd, const struct link_job *job, int netns) {
  const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  int bridge = index_of(fd, job->bridge);
  struct message message;
  begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &up, sizeof up);
  put_text(&message, IFLA_IFNAME, job->veth);
  put(&message, IFLA_MASTER, &bridge, sizeof bridge);
  struct rtattr *info = put(&message, IFLA_LINKINFO, NULL, 0);
  put_text(&message, IFLA_INFO_KIND, "veth");
  struct rtattr *data = put(&message, IFLA_INFO_DATA, NULL, 0);
  /* Not yet up: a veth cannot be before it has its peer. */
  struct rtattr *peer = put(&message, VETH_INFO_PEER, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
  put_text(&message, IFLA_IFNAME, job->ifname);
  put(&message, IFLA_NET_NS_FD, &netns, sizeof netns);
  end(&message, peer);
  end(&message, data);
  end(&message, info);
  ask(fd, &message, "add a veth");
}

static struct in_addr parse(const char *text) {
  struct in_addr address;
  if (inet_pton(AF_INET, text, &address) != 1) give_up("Cannot read the address %s", text);
  return address;
}

static void add_address(int fd, const struct link_job *job, int index) {
  const struct ifaddrmsg fixed = {.ifa_family = AF_INET, .ifa_prefixlen = job->prefix, .ifa_index = (uint32_t)index};
  struct in_addr address = parse(job->address);
  struct message message;
  begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &fixed, sizeof fixed);
  put(&message, IFA_LOCAL, &address, sizeof address);
  put(&message, IFA_ADDRESS, &address, sizeof address);
  ask(fd, &message, "add an address");
}

static void set_up(int fd, int index) {
  const struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  struct message message;
  begin(&message, RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
  ask(fd, &message, "set a link up");
}

static void add_route(int fd, const struct link_job *job, int index) {
  const struct rtmsg fixed = {.rtm_family = AF_INET,
                              .rtm_table = RT_TABLE_MAIN,
                              .rtm_protocol = RTPROT_BOOT,
                              .rtm_scope = RT_SCOPE_UNIVERSE,
                              .rtm_type = RTN_UNICAST};
  struct in_addr gateway = parse(job->gateway);
  struct message message;
  begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, &fixed, sizeof fixed);
  put(&message, RTA_GATEWAY, &gateway, sizeof gateway);
  put(&message, RTA_OIF, &index, sizeof index);
  ask(fd, &message, "add a route");
}

static void add(const struct link_job *job) {
  int host = open_socket(), netns = open_netns(job->netns);
  add_veth(host, job, netns);
  int container = open_socket_in(netns);
  int index = index_of(container, job->ifname);
  add_address(container, job, index);
  set_up(container, index);
  add_route(container, job, index);
  close(container);
  close(netns);
  close(host);
}

static void del(const struct link_job *job) {
  int host = open_socket();
  struct message message;
  begin(&message, RTM_DELLINK, NLM_F_ACK, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
  put_text(&message, IFLA_IFNAME, job->veth);
  ask(host, &message, "delete a link");
  close(host);
}

void run_link(const struct link_job *job) {
  if (strcmp(job->verb, "ADD") == 0) add(job);
  else del(job);
}
