/* The limit: spawn N, one program after the other, each waited for. posix_spawn(3) */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1000;
  char *arguments[] = {"true", NULL}, *environment[] = {NULL};
  int ended = 0;
  for (int i = 0; i < count; i++) {
    pid_t pid;
    int status;
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environment) != 0) return 1;
    if (waitpid(pid, &status, 0) == pid && status == 0) ended++;
  }
  printf("%d\n", ended);
  return 0;
}
