/* Capabilities as text: cap_from_text(3), of libcap. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "init.h"

static const char *const names[] = {
    "cap_chown",          "cap_dac_override",     "cap_dac_read_search", "cap_fowner",
    "cap_fsetid",         "cap_kill",             "cap_setgid",          "cap_setuid",
    "cap_setpcap",        "cap_linux_immutable",  "cap_net_bind_service", "cap_net_broadcast",
    "cap_net_admin",      "cap_net_raw",          "cap_ipc_lock",        "cap_ipc_owner",
    "cap_sys_module",     "cap_sys_rawio",        "cap_sys_chroot",      "cap_sys_ptrace",
    "cap_sys_pacct",      "cap_sys_admin",        "cap_sys_boot",        "cap_sys_nice",
    "cap_sys_resource",   "cap_sys_time",         "cap_sys_tty_config",  "cap_mknod",
    "cap_lease",          "cap_audit_write",      "cap_audit_control",   "cap_setfcap",
    "cap_mac_override",   "cap_mac_admin",        "cap_syslog",          "cap_wake_alarm",
    "cap_block_suspend",  "cap_audit_read",       "cap_perfmon",         "cap_bpf",
    "cap_checkpoint_restore",
};
enum { NAMES = sizeof names / sizeof *names, MAX_CAPS = 64 };

int cap_number(const char *name, size_t length) {
  for (int i = 0; i < NAMES; i++)
    if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0) return i;
  if (length == 0 || length > 2) return -1;
  int number = 0; /* one that this list doesn't know yet */
  for (size_t i = 0; i < length; i++) {
    if (!isdigit((unsigned char)name[i])) return -1;
    number = number * 10 + name[i] - '0';
  }
  return number < MAX_CAPS ? number : -1;
}

static uint64_t all_caps(void) {
  int last = HOST(LAST_CAP);
  return last < 0 || last >= MAX_CAPS - 1 ? ~0ull : (1ull << (last + 1)) - 1;
}

/* `cap_a,cap_b`, or `all`, or nothing where `=` follows: all, too. Moves *at to its end. */
static bool parse_list(const char **at, uint64_t *list) {
  *list = 0;
  if (**at == '=') {
    *list = all_caps();
    return true;
  }
  for (;;) {
    const char *end = *at;
    while (isalnum((unsigned char)*end) || *end == '_') end++;
    size_t length = (size_t)(end - *at);
    if (length == 3 && strncasecmp(*at, "all", 3) == 0) *list |= all_caps();
    else {
      int number = cap_number(*at, length);
      if (number < 0) return false;
      *list |= 1ull << number;
    }
    *at = end;
    if (*end != ',') return true;
    ++*at;
  }
}

/* Clauses, apart by blanks: a list, then one operator or more, each with its flags. `=` can only be
 * the first one, and the others need flags. */
bool cap_parse(const char *text, struct cap_sets *out) {
  memset(out, 0, sizeof *out);
  for (;;) {
    while (isspace((unsigned char)*text)) text++;
    if (*text == 0) return true;
    uint64_t list;
    if (!parse_list(&text, &list)) return false;
    if (*text != '=' && *text != '+' && *text != '-') return false;
    bool first = true;
    while (*text == '=' || *text == '+' || *text == '-') {
      char op = *text++;
      if (op == '=' && !first) return false;
      first = false;
      bool e = false, i = false, p = false;
      for (;; text++) {
        if (*text == 'e') e = true;
        else if (*text == 'i') i = true;
        else if (*text == 'p') p = true;
        else break;
      }
      if (op != '=' && !e && !i && !p) return false;
      if (op == '=') {
        out->effective &= ~list;
        out->permitted &= ~list;
        out->inheritable &= ~list;
      }
      if (op == '-') {
        if (e) out->effective &= ~list;
        if (p) out->permitted &= ~list;
        if (i) out->inheritable &= ~list;
      } else {
        if (e) out->effective |= list;
        if (p) out->permitted |= list;
        if (i) out->inheritable |= list;
      }
    }
    if (*text != 0 && !isspace((unsigned char)*text)) return false;
  }
}
