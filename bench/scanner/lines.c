/* Text for the scanner to read, the same each time: about MEGABYTES of lines such as
 *   17 host-0017 4711 GET /some/path/of/varying/length
 *   lines MEGABYTES      writes to standard output, and ends at a whole line */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE (1 << 20)

static void write_all(const char *bytes, size_t count) {
  for (ssize_t put; count > 0; bytes += put, count -= (size_t)put) {
    put = write(1, bytes, count);
    if (put < 0 && errno == EINTR) put = 0;
    if (put < 0) exit(1);
  }
}

int main(int argc, char **argv) {
  static const char path[] = "/the/path/of/a/page/that/somebody/may/have/asked/for.html";
  static char text[SIZE + 256];
  uint64_t left = (argc > 1 ? (uint64_t)atoll(argv[1]) : 1) << 20;
  uint32_t random = 12345;
  for (uint32_t line = 1; left > 0;) {
    size_t used = 0;
    while (used < SIZE && used < left) {
      random = random * 1664525 + 1013904223;
      used += (size_t)sprintf(text + used, "%u host-%04u %u GET %.*s\n", line, random >> 20,
                              random >> 12 & 0xffff, (int)(random >> 27) + 8, path);
      line++;
    }
    write_all(text, used);
    left = used < left ? left - used : 0;
  }
  return 0;
}
