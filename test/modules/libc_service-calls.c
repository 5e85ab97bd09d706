/* A program that knows nothing of libc_service: each argument is a call of the C library, and what came of it is printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Names of files: other ones where the program may do what it asks for. */
static char A[256] = "/a", B[256] = "/b", LOCAL[100] = "/run/x";

static void say(const char *what, long result) {
  int error = errno;
  if (result < 0) printf("%s: %s\n", what, strerrorname_np(error) ? strerrorname_np(error) : "0");
  else printf("%s: ok\n", what);
  fflush(stdout);
}

static void say_content(const char *what, int fd) {
  char text[64];
  if (fd < 0) return say(what, -1);
  ssize_t length = read(fd, text, sizeof text - 1);
  int flags = fcntl(fd, F_GETFD), status = fcntl(fd, F_GETFL);
  if (length < 0) return say(what, -1);
  text[length] = 0;
  printf("%s: fd %d%s%s %s\n", what, fd, flags & FD_CLOEXEC ? " closes" : "", status & O_NONBLOCK ? " nonblock" : "", text);
  fflush(stdout);
  close(fd);
}

/* Each asks for files that are called as a number; the answer is that number's. */
static void *ask(void *start) {
  long wrong = 0;
  for (long i = (long)start; i < (long)start + 50; i++) {
    char name[32];
    struct stat s = {0};
    snprintf(name, sizeof name, "/n/%ld", i);
    if (stat(name, &s) != 0 || s.st_size != i) wrong++;
  }
  return (void *)wrong;
}

static void say_socket(const char *what, int fd, int result) {
  char text[16] = "";
  if (result < 0) return say(what, result);
  ssize_t length = recv(fd, text, sizeof text - 1, 0);
  text[length < 0 ? 0 : length] = 0;
  printf("%s: %s%s\n", what, text, fcntl(fd, F_GETFL) & O_NONBLOCK ? " nonblock" : "");
  fflush(stdout);
}

static int count_open(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

/* It is to be cancelled wherever a thread can be, and asks nevertheless. */
static void *ask_cancelled(void *result) {
  struct stat s;
  pthread_cancel(pthread_self());
  *(int *)result = stat(A, &s) + 10 * access(A, R_OK);
  return NULL;
}

/* On the smallest stack that a thread may have. */
static void *ask_on_little(void *result) {
  struct stat s;
  *(int *)result = stat(A, &s) + 10 * open(B, O_RDONLY);
  return NULL;
}

/* The library's, too, comes by here: another thread forks in the middle of a question, and the child stays. */
static pid_t child;
static int forks_now;
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  if (forks_now && (child = fork()) == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  forks_now = 0;
  return syscall(SYS_sendmsg, fd, message, flags);
}

static struct sockaddr_un un(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strncpy(a.sun_path, path, sizeof a.sun_path - 1);
  return a;
}

static void lookup(const char *node, const char *service, const struct addrinfo *hints) {
  struct addrinfo *list = NULL;
  char address[INET6_ADDRSTRLEN + 16], port[16];
  int status = getaddrinfo(node, service, hints, &list);
  if (status != 0) {
    printf("getaddrinfo: %s %s\n", gai_strerror(status), status == EAI_SYSTEM ? strerrorname_np(errno) : "");
  } else {
    int count = 0;
    for (struct addrinfo *a = list; a; a = a->ai_next) count++;
    getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof address, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    printf("getaddrinfo: %s %s type %d, %d of them\n", address, port, list->ai_socktype, count);
    if (list->ai_canonname) printf("called %s\n", list->ai_canonname);
    freeaddrinfo(list);
  }
  fflush(stdout);
}

/* Its memory is this process's own. */
static int open_in_vfork(void) {
  int status = -1;
  if (vfork() == 0) _exit(open(A, O_RDONLY) < 0);
  wait(&status);
  return status;
}

int main(int argc, char **argv) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(81), .sin6_scope_id = 3};
  inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
  inet_pton(AF_INET6, "fd00::1", &in6.sin6_addr);
  int tcp = socket(AF_INET, SOCK_STREAM, 0), tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
  int local = socket(AF_UNIX, SOCK_STREAM, 0);
  for (int i = 1; i < argc; i++) {
    const char *call = argv[i];
    struct stat s = {0};
    struct stat64 s64 = {0};
    struct statx sx = {0};
    struct sockaddr_un path = un(LOCAL), abstract = un("@name");
    abstract.sun_path[0] = 0;
    errno = 0;
#define IS(name) else if (strcmp(call, name) == 0)
    if (!*call) continue;
    else if (strncmp(call, "in=", 3) == 0) {
      snprintf(A, sizeof A, "%s/a", call + 3);
      snprintf(B, sizeof B, "%s/b", call + 3);
      snprintf(LOCAL, sizeof LOCAL, "%s/x", call + 3);
    }
    IS("open") say_content(call, open(A, O_RDONLY));
    IS("open64") say_content(call, open64(A, O_RDONLY | O_CLOEXEC));
    IS("open_create") say_content(call, open(A, O_RDWR | O_CREAT | O_EXCL, 0640));
    IS("open_low") {
      close(0);
      say_content(call, open(A, O_RDONLY));
    }
    IS("creat") say(call, creat(A, 0600));
    IS("fopen") {
      FILE *f = fopen(A, "re");
      say_content(call, f ? dup(fileno(f)) : -1);
      if (f) fclose(f);
    }
    IS("opendir") {
      DIR *d = opendir(A);
      int count = 0;
      while (d && readdir(d)) count++;
      printf("opendir: %d\n", count);
      fflush(stdout);
      if (d) closedir(d);
    }
    IS("openat") {
      int d = openat(AT_FDCWD, "/d", O_DIRECTORY | O_PATH);
      say_content(call, openat(d, "inside", O_RDONLY));
      close(d);
    }
    IS("unlink") say(call, unlink(A));
    IS("unlinkat") say(call, unlinkat(AT_FDCWD, A, 0));
    IS("remove") say(call, remove(A));
    IS("rmdir") say(call, rmdir(A));
    IS("rename") say(call, rename(A, B));
    IS("renameat2") say(call, renameat2(AT_FDCWD, A, AT_FDCWD, B, 1));
    IS("mkdir") say(call, mkdir(A, 0750));
    IS("access") say(call, access(A, R_OK | X_OK));
    IS("access_f") say(call, access(A, F_OK));
    IS("eaccess") say(call, eaccess(A, W_OK));
    IS("faccessat") say(call, faccessat(AT_FDCWD, A, R_OK, AT_EACCESS));
    IS("stat") {
      int result = stat(A, &s);
      if (result < 0) say(call, -1);
      else printf("stat: %lo %ld %u:%u %ld.%09ld dev %ld ino %ld links %ld\n", (long)s.st_mode, (long)s.st_size, s.st_uid,
                  s.st_gid, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, (long)s.st_dev, (long)s.st_ino, (long)s.st_nlink);
      fflush(stdout);
    }
    IS("stat64") { int result = stat64(A, &s64); printf("stat64: %d %ld\n", result, (long)s64.st_size); fflush(stdout); }
    IS("lstat") { int result = lstat(A, &s); printf("lstat: %d %lo\n", result, (long)s.st_mode); fflush(stdout); }
    IS("statx") {
      int result = statx(AT_FDCWD, A, 0, STATX_BASIC_STATS, &sx);
      printf("statx: %d %ld %o\n", result, (long)sx.stx_size, sx.stx_mode);
      fflush(stdout);
    }
    IS("statx_all") {
      struct statx kernels = {0};
      int result = statx(AT_FDCWD, A, 0, STATX_ALL, &sx);
      syscall(SYS_statx, AT_FDCWD, A, 0, STATX_ALL, &kernels);
      printf("statx_all: %d %s\n", result, memcmp(&sx, &kernels, sizeof sx) ? "differs" : "as the kernel has it");
      say("statx_wrong", statx(AT_FDCWD, A, 1 << 30, STATX_ALL, &sx));
    }
    IS("connect_inet") say_socket(call, tcp, connect(tcp, (struct sockaddr *)&in, sizeof in));
    IS("connect_inet6") say_socket(call, tcp6, connect(tcp6, (struct sockaddr *)&in6, sizeof in6));
    IS("connect_unix") say_socket(call, local, connect(local, (struct sockaddr *)&path, sizeof path));
    IS("connect_abstract")
      say(call, connect(local, (struct sockaddr *)&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 5)));
    IS("nonblock") say(call, fcntl(tcp, F_SETFL, O_NONBLOCK));
    IS("bind_inet") say(call, bind(tcp, (struct sockaddr *)&in, sizeof in));
    IS("bind_inet6") say(call, bind(tcp6, (struct sockaddr *)&in6, sizeof in6));
    IS("bind_unix") say(call, bind(local, (struct sockaddr *)&path, sizeof path));
    IS("listens") {
      socklen_t size = sizeof in;
      int result = listen(tcp, 1) == 0 ? getsockname(tcp, (struct sockaddr *)&in, &size) : -1;
      printf("listens: %d %d\n", result, ntohs(in.sin_port) != 80);
      fflush(stdout);
    }
    IS("unnamed") {
      struct sockaddr nobody = {.sa_family = AF_UNSPEC};
      say(call, connect(tcp, &nobody, sizeof nobody));
    }
    IS("getaddrinfo") lookup("host.test", "443", &(struct addrinfo){.ai_socktype = SOCK_STREAM});
    IS("getaddrinfo_any") lookup("host.test", NULL, NULL);
    IS("getaddrinfo_4") lookup("host.test", "443", &(struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM});
    IS("getaddrinfo_6_as_4") lookup("::1", "1", &(struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_STREAM});
    IS("getaddrinfo_numeric") lookup("127.0.0.1", "1", &(struct addrinfo){.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM});
    IS("getaddrinfo_name")
      lookup("host.test", "443", &(struct addrinfo){.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM});
    IS("cancelled") {
      pthread_t thread;
      int before = count_open(), result = -100;
      pthread_create(&thread, NULL, ask_cancelled, &result);
      pthread_join(thread, NULL);
      printf("cancelled: %d, %d left open\n", result, count_open() - before);
      fflush(stdout);
    }
    IS("errno") {
      errno = EDOM;
      int result = stat(A, &s);
      printf("errno: %d %s\n", result, strerrorname_np(errno));
      fflush(stdout);
    }
    IS("little_stack") {
      pthread_t thread;
      pthread_attr_t attributes;
      int result = -100;
      pthread_attr_init(&attributes);
      pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN));
      pthread_create(&thread, &attributes, ask_on_little, &result);
      pthread_join(thread, NULL);
      printf("little_stack: %d\n", result);
      fflush(stdout);
    }
    IS("fork_meanwhile") {
      forks_now = 1;
      say(call, stat("/", &s));
      kill(child, SIGKILL);
      wait(NULL);
    }
    IS("long") {
      static char name[5000];
      memset(name, 'a', sizeof name - 1);
      say(call, stat(name, &s));
    }
    IS("threads") {
      pthread_t threads[8];
      long wrong = 0;
      for (long t = 0; t < 8; t++) pthread_create(&threads[t], NULL, ask, (void *)(t * 1000));
      for (int t = 0; t < 8; t++) {
        void *result;
        pthread_join(threads[t], &result);
        wrong += (long)result;
      }
      printf("threads: %ld wrong\n", wrong);
      fflush(stdout);
    }
    IS("forks") {
      int wrong = 0;
      for (long c = 0; c < 6; c++)
        if (fork() == 0) _exit(ask((void *)(c * 1000)) != NULL);
      for (int status; wait(&status) > 0;) wrong += status != 0;
      printf("forks: %d wrong\n", wrong);
      fflush(stdout);
    }
    IS("exec") {
      if (fork() == 0) execl(argv[0], argv[0], "open", NULL);
      wait(NULL);
    }
    IS("vfork") printf("vfork: %d\n", open_in_vfork());
    IS("close") {
      for (int fd = 3; fd < 10; fd++) close(fd);
      say(call, 0);
    }
    IS("other") say(call, dup2(1, 9)); /* the number of the socket is another file's */
    IS("full") { /* there are no more descriptors */
      while (dup(1) >= 0) {}
      say(call, open(A, O_RDONLY));
    }
    else printf("%s?\n", call);
  }
  return 0;
}
