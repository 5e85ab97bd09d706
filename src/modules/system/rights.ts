/** `system`: giving up rights: capabilities, no_new_privs, seccomp, Landlock. What changes the process changes all its threads. */
import { checkFd, newFd } from '../../actors/file-descriptor.ts';
import { filterBytes } from '../../actors/seccomp-filter.ts';
import {
  capabilityNumber,
  LinuxCapabilities,
  parseCapabilities,
} from '../../runtime/capabilities.ts';
import { checkInt32, checkString } from '../../runtime/check.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { namedFlags } from '../../runtime/flags.ts';
import { LuaTable, rawGetString } from '../../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { procctlNoNewPrivs } from '../../sys/capsicum.ts';
import {
  capget,
  clearAmbient,
  dropBounding,
  getSecurebits,
  isAmbient,
  isBounding,
  LANDLOCK_ACCESS_FS,
  LANDLOCK_ACCESS_NET,
  LANDLOCK_CREATE_FLAGS,
  LANDLOCK_SCOPES,
  landlockAddRule,
  landlockCreateRuleset,
  landlockQuery,
  landlockRestrictSelf,
  RULE_NET_PORT,
  RULE_PATH_BENEATH,
  setAmbient,
  setNoNewPrivs,
  setSecurebits,
} from '../../sys/confine.ts';
import { freebsdAvailable } from '../../sys/native.ts';
import { seccompSetModeFilter } from '../../sys/walls.ts';
import { changeRights, forMaster, withAddon } from './part.ts';

export function capabilitiesOf(pid: number): LinuxCapabilities {
  return Object.assign(new LinuxCapabilities(), capget(pid));
}

function fromText(v: LuaValue): LinuxCapabilities {
  const set = parseCapabilities(checkString(v, 1, 'cap_from_text'));
  if (set === undefined) throw badArgument(1);
  return set;
}

function checkCapability(v: LuaValue): number {
  const n = typeof v === 'string' ? capabilityNumber(v) : undefined;
  if (n === undefined) throw badArgument(1);
  return n;
}

// ── Landlock ───────────────────────────────────────────────────────────────────────────────────────

/** A list of names in a field, as bits. EINVAL{arg} */
function bitsIn(t: LuaTable, field: string, names: Readonly<Record<string, number>>): number {
  const list = rawGetString(t, field);
  if (list === undefined) return 0;
  if (!(list instanceof LuaTable)) throw badArgument(field);
  return namedFlags(list, names, field);
}

function createRuleset(attributes: LuaValue, flagsArg: LuaValue): Result {
  if (flagsArg !== undefined && !(flagsArg instanceof LuaTable)) throw badArgument(2);
  const flags = flagsArg === undefined ? 0 : namedFlags(flagsArg, LANDLOCK_CREATE_FLAGS, 2);
  if (attributes === undefined) return landlockQuery(flags);
  if (!(attributes instanceof LuaTable)) throw badArgument(1);
  if (flags !== 0) throw badArgument(2);
  return newFd(
    landlockCreateRuleset(
      bitsIn(attributes, 'handled_access_fs', LANDLOCK_ACCESS_FS),
      bitsIn(attributes, 'handled_access_net', LANDLOCK_ACCESS_NET),
      bitsIn(attributes, 'scoped', LANDLOCK_SCOPES),
    ),
  );
}

const MOST_PORT = 0xffff;

function addRule(ruleset: LuaValue, type: LuaValue, rule: LuaValue): void {
  const { fd } = checkFd(ruleset, 1);
  if (type !== 'path_beneath' && type !== 'net_port') throw badArgument(2);
  if (!(rule instanceof LuaTable)) throw badArgument(3);
  if (type === 'path_beneath') {
    const access = bitsIn(rule, 'allowed_access', LANDLOCK_ACCESS_FS);
    const parent = checkFd(rawGetString(rule, 'parent_fd'), 'parent_fd').fd;
    landlockAddRule(fd, RULE_PATH_BENEATH, access, parent);
    return;
  }
  const access = bitsIn(rule, 'allowed_access', LANDLOCK_ACCESS_NET);
  const port = rawGetString(rule, 'port');
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > MOST_PORT) {
    throw badArgument('port');
  }
  landlockAddRule(fd, RULE_NET_PORT, access, port);
}

export const rights: Record<string, LuaFunction> = {
  cap_get_proc: withAddon(() => capabilitiesOf(0)),
  cap_init: withAddon(() => new LinuxCapabilities()),
  cap_from_text: withAddon(fromText),
  cap_get_bound: withAddon((name) => isBounding(checkCapability(name))),
  cap_drop_bound: changeRights((name) => dropBounding(checkCapability(name))),
  cap_get_ambient: withAddon((name) => isAmbient(checkCapability(name))),
  cap_set_ambient: changeRights((name, on) => {
    const capability = checkCapability(name);
    if (typeof on !== 'boolean') throw badArgument(2);
    setAmbient(capability, on);
  }),
  cap_reset_ambient: changeRights(() => clearAmbient()),
  cap_get_secbits: withAddon(() => getSecurebits()),
  cap_set_secbits: changeRights((bits) => setSecurebits(checkInt32(bits, 1, 'cap_set_secbits'))),
  set_no_new_privs: freebsdAvailable()
    ? forMaster(() => {
        procctlNoNewPrivs();
        return NONE;
      })
    : changeRights(() => setNoNewPrivs()),
  seccomp_set_mode_filter: changeRights((v) => seccompSetModeFilter(filterBytes(v, 1))),
  landlock_create_ruleset: withAddon(createRuleset),
  landlock_add_rule: forMaster(
    withAddon((ruleset, type, rule) => {
      addRule(ruleset, type, rule);
      return NONE;
    }),
  ),
  landlock_restrict_self: changeRights((ruleset) => landlockRestrictSelf(checkFd(ruleset, 1).fd)),
};

/** securebits.h */
export const SECBITS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ['NOROOT', 0],
    ['NO_SETUID_FIXUP', 2],
    ['KEEP_CAPS', 4],
    ['NO_CAP_AMBIENT_RAISE', 6],
  ].flatMap(([name, bit]) => [
    [`SECBIT_${name}`, 1 << Number(bit)],
    [`SECBIT_${name}_LOCKED`, 2 << Number(bit)],
  ]),
);
