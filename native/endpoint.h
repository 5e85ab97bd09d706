/* An address and port as JavaScript has them: 24 bytes, little endian.
 *   0–3 scope id   4–5 port   6 family (4, 6, or 0 for any other)   7 zero   8–23 address
 * An IPv4 address takes the first four of the sixteen. */
#ifndef PERILUNE_ENDPOINT_H
#define PERILUNE_ENDPOINT_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { ENDPOINT_SIZE = 24 };

static inline socklen_t unpack_endpoint(const uint8_t *bytes, struct sockaddr_storage *out) {
  uint32_t scope;
  uint16_t port;
  memcpy(&scope, bytes, 4);
  memcpy(&port, bytes + 4, 2);
  memset(out, 0, sizeof *out);
  if (bytes[6] == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, bytes + 8, 4);
    return sizeof *in;
  }
  if (bytes[6] == 6) {
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)out;
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    in->sin6_scope_id = scope;
    memcpy(&in->sin6_addr, bytes + 8, 16);
    return sizeof *in;
  }
  out->ss_family = AF_UNSPEC;
  return sizeof(sa_family_t);
}

static inline void pack_endpoint(const struct sockaddr_storage *from, uint8_t *bytes) {
  memset(bytes, 0, ENDPOINT_SIZE);
  if (from->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)from;
    uint16_t port = ntohs(in->sin_port);
    memcpy(bytes + 4, &port, 2);
    bytes[6] = 4;
    memcpy(bytes + 8, &in->sin_addr, 4);
  } else if (from->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
    uint16_t port = ntohs(in->sin6_port);
    memcpy(bytes, &in->sin6_scope_id, 4);
    memcpy(bytes + 4, &port, 2);
    bytes[6] = 6;
    memcpy(bytes + 8, &in->sin6_addr, 16);
  }
}

#endif
