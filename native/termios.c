/* Terminals and serial lines: termios(3), tty_ioctl(4), pts(4). */
#include "util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "fault.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* What JavaScript knows of the settings, one int32 each. */
enum { BAUD_RATE, FLOW_CONTROL, PARITY, STOP_BITS, CHARACTER_SIZE, SETTINGS };
enum { FLOW_NONE, FLOW_SOFTWARE, FLOW_HARDWARE };
enum { PARITY_NONE, PARITY_ODD, PARITY_EVEN };

static const struct {
  int rate;
  speed_t code;
} speeds[] = {
  {0, B0},             {50, B50},           {75, B75},           {110, B110},
  {134, B134},         {150, B150},         {200, B200},         {300, B300},
  {600, B600},         {1200, B1200},       {1800, B1800},       {2400, B2400},
  {4800, B4800},       {9600, B9600},       {19200, B19200},     {38400, B38400},
  {57600, B57600},     {115200, B115200},   {230400, B230400},   {460800, B460800},
  {500000, B500000},   {576000, B576000},   {921600, B921600},   {1000000, B1000000},
  {1152000, B1152000}, {1500000, B1500000}, {2000000, B2000000}, {2500000, B2500000},
  {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
};
enum { SPEEDS = sizeof speeds / sizeof *speeds };

static int rate_of(speed_t code) {
  for (int i = 0; i < SPEEDS; i++)
    if (speeds[i].code == code) return speeds[i].rate;
  return -1;
}

static int size_of(tcflag_t flags) {
  switch (flags & CSIZE) {
    case CS5: return 5;
    case CS6: return 6;
    case CS7: return 7;
    default: return 8;
  }
}

/* get_line_settings(fd, out: Int32Array(5)) -> 0 with baud rate (-1: not a usual one), flow control,
 * parity, stop bits, character size; or -errno.  tcgetattr(3) */
napi_value sys_get_line_settings(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  uint8_t *out;
  struct termios t;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd) ||
      !take_bytes(env, args[1], 0, SETTINGS, &out))
    return NULL;
  if (tcgetattr(fd, &t) < 0) return give_result(env, -1);
  int32_t settings[SETTINGS];
  settings[BAUD_RATE] = rate_of(cfgetospeed(&t));
  settings[FLOW_CONTROL] = t.c_iflag & (IXON | IXOFF) ? FLOW_SOFTWARE
                           : t.c_cflag & CRTSCTS      ? FLOW_HARDWARE
                                                      : FLOW_NONE;
  settings[PARITY] = !(t.c_cflag & PARENB) ? PARITY_NONE
                     : t.c_cflag & PARODD  ? PARITY_ODD
                                           : PARITY_EVEN;
  settings[STOP_BITS] = t.c_cflag & CSTOPB ? 2 : 1;
  settings[CHARACTER_SIZE] = size_of(t.c_cflag);
  memcpy(out, settings, sizeof settings);
  return give_int32(env, 0);
}

static bool change(struct termios *t, int which, int value) {
  static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
  switch (which) {
    case BAUD_RATE:
      for (int i = 0; i < SPEEDS; i++)
        if (speeds[i].rate == value)
          return cfsetospeed(t, speeds[i].code) == 0 && cfsetispeed(t, speeds[i].code) == 0;
      return false;
    case FLOW_CONTROL:
      t->c_iflag &= ~(tcflag_t)(IXON | IXOFF);
      t->c_cflag &= ~(tcflag_t)CRTSCTS;
      if (value == FLOW_SOFTWARE) t->c_iflag |= IXON | IXOFF;
      if (value == FLOW_HARDWARE) t->c_cflag |= CRTSCTS;
      return true;
    case PARITY:
      t->c_cflag &= ~(tcflag_t)(PARENB | PARODD);
      if (value == PARITY_NONE) {
        t->c_iflag |= IGNPAR;
      } else {
        t->c_iflag &= ~(tcflag_t)(IGNPAR | PARMRK);
        t->c_iflag |= INPCK;
        t->c_cflag |= value == PARITY_ODD ? PARENB | PARODD : PARENB;
      }
      return true;
    case STOP_BITS:
      t->c_cflag &= ~(tcflag_t)CSTOPB;
      if (value == 2) t->c_cflag |= CSTOPB;
      return true;
    case CHARACTER_SIZE:
      if (value < 5 || value > 8) return false;
      t->c_cflag = (t->c_cflag & ~(tcflag_t)CSIZE) | sizes[value - 5];
      return true;
    default: return false;
  }
}

/* set_line_setting(fd, which, value) -> 0 or -errno (EINVAL: no such value). `which` is a position in
 * the array of get_line_settings. In force at once.  tcsetattr(3) */
napi_value sys_set_line_setting(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  struct termios t;
  if (!take_int32s(env, info, arg, 3)) return NULL;
  if (tcgetattr(arg[0], &t) < 0) return give_result(env, -1);
  if (!change(&t, arg[1], arg[2])) return give_int32(env, -EINVAL);
  return give_result(env, tcsetattr(arg[0], TCSANOW, &t));
}

/* tcsendbreak(fd) -> 0 or -errno; takes as long as the break.  tcsendbreak(3) */
napi_value sys_tcsendbreak(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, tcsendbreak(fd, 0));
}

/* tcgetpgrp(fd) -> process group or -errno.  tcgetpgrp(3) */
napi_value sys_tcgetpgrp(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, tcgetpgrp(fd));
}

/* tcsetpgrp(fd, group) -> 0 or -errno.  tcsetpgrp(3) */
napi_value sys_tcsetpgrp(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, tcsetpgrp(arg[0], arg[1]));
}

/* openpty(ends: Int32Array(2)) -> 0 with [master, slave], or -errno; both non-blocking, close-on-exec
 * and nobody's controlling terminal. The slave is opened through the master, so what is mounted at
 * /dev/pts doesn't matter.  posix_openpt(3), ioctl_tty(2) TIOCGPTPEER */
napi_value sys_openpty(napi_env env, napi_callback_info info) {
  napi_value args[1];
  uint8_t *ends;
  const int flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  if (!take_args(env, info, args, 1) || !take_bytes(env, args[0], 0, 2, &ends)) return NULL;
  if (fault(FAULT_OPENPTY, -1, NULL)) return give_result(env, -1);
  int master = open("/dev/ptmx", flags);
  if (master < 0) return give_result(env, -1);
  int unlock = 0;
  int slave = ioctl(master, TIOCSPTLCK, &unlock) < 0 ? -1 : ioctl(master, TIOCGPTPEER, flags);
  if (slave < 0) {
    int error = errno;
    close(master);
    return give_int32(env, -error);
  }
  memcpy(ends, (int[]){master, slave}, 2 * sizeof(int));
  return give_int32(env, 0);
}

/* get_terminal_mode(fd, mode: Uint8Array) -> how many bytes the settings take, or -errno (ERANGE: more
 * than fit).  tcgetattr(3) */
napi_value sys_get_terminal_mode(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  uint8_t *out;
  struct termios t;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd) ||
      !take_bytes(env, args[1], 0, sizeof t, &out))
    return NULL;
  memset(&t, 0, sizeof t);
  if (tcgetattr(fd, &t) < 0) return give_result(env, -1);
  memcpy(out, &t, sizeof t);
  return give_int32(env, sizeof t);
}

/* As cfmakeraw(3), or with signals and the processing of output left as they are. */
enum { MODE_SAVED, MODE_RAW, MODE_CBREAK };

/* set_terminal_mode(fd, kind, mode: Uint8Array) -> 0 or -errno: what get_terminal_mode gave; or `raw`
 * or `cbreak`, when `mode` isn't looked at. After output has been written.  tcsetattr(3), TCSADRAIN */
napi_value sys_set_terminal_mode(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, kind;
  uint8_t *mode;
  struct termios t;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[1], &kind))
    return NULL;
  if (kind == MODE_SAVED) {
    if (!take_bytes(env, args[2], 0, sizeof t, &mode)) return NULL;
    memcpy(&t, mode, sizeof t);
  } else {
    if (tcgetattr(fd, &t) < 0) return give_result(env, -1);
    if (kind == MODE_RAW) {
      cfmakeraw(&t);
    } else {
      t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    }
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
  }
  return give_result(env, tcsetattr(fd, TCSADRAIN, &t));
}

/* get_window_size(fd, out: Int32Array(2)) -> 0 with columns and rows, or -errno.  ioctl_tty(2) */
napi_value sys_get_window_size(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  uint8_t *out;
  struct winsize size;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd) ||
      !take_bytes(env, args[1], 0, 2, &out))
    return NULL;
  if (ioctl(fd, TIOCGWINSZ, &size) < 0) return give_result(env, -1);
  memcpy(out, (int[]){size.ws_col, size.ws_row}, 2 * sizeof(int));
  return give_int32(env, 0);
}

/* set_window_size(fd, columns, rows) -> 0 or -errno; SIGWINCH for the foreground group where it is
 * another size than before.  ioctl_tty(2) */
napi_value sys_set_window_size(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  struct winsize size = {.ws_col = (unsigned short)arg[1], .ws_row = (unsigned short)arg[2]};
  return give_result(env, ioctl(arg[0], TIOCSWINSZ, &size));
}
