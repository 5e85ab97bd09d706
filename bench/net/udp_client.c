/* Load for a UDP echo server on 127.0.0.1: a window of datagrams that are under way.
 *   udp_client PORT WINDOW BYTES SECONDS     prints "<answers per second> <answers> <lost>"
 * An answer carries the number of its question; what isn't answered within 100 ms is lost and replaced.
 * One thread; the socket blocks, with a time-out. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: udp_client PORT WINDOW BYTES SECONDS\n");
    return 2;
  }
  int window = atoi(argv[2]), bytes = atoi(argv[3]);
  double seconds = atof(argv[4]);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 1 << 20;
  struct timeval patience = {0, 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (bytes < 8 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    perror("connect");
    return 1;
  }
  char *message = calloc(1, (size_t)bytes), *answer = calloc(1, (size_t)bytes);
  uint64_t sent = 0, answered = 0, lost = 0;
  double start = now(), end = start + seconds;
  for (int i = 0; i < window; i++) {
    memcpy(message, &sent, 8);
    sent += send(fd, message, (size_t)bytes, 0) == bytes;
  }
  for (int i = 0;; i++) {
    ssize_t got = recv(fd, answer, (size_t)bytes, 0);
    if (got == bytes) {
      uint64_t number;
      memcpy(&number, answer, 8);
      if (number >= sent) {
        fprintf(stderr, "an answer to what was not asked\n");
        return 1;
      }
      answered++;
    } else if (errno == EAGAIN) {
      lost += (uint64_t)window; /* all that was under way */
      for (int k = 1; k < window; k++) {
        memcpy(message, &sent, 8);
        sent += send(fd, message, (size_t)bytes, 0) == bytes;
      }
    } else {
      perror("recv");
      return 1;
    }
    if (i % 64 == 0 && now() >= end) break;
    memcpy(message, &sent, 8);
    sent += send(fd, message, (size_t)bytes, 0) == bytes;
  }
  printf("%.0f %lu %lu\n", (double)answered / (now() - start), (unsigned long)answered,
         (unsigned long)lost);
  return 0;
}
