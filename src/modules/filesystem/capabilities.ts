/** `cap_get_file` and `cap_set_file`: what a program may do beyond its user when it is started. */
import { LinuxCapabilities } from '../../runtime/capabilities.ts';
import { badArgument, systemError } from '../../runtime/error-code.ts';
import {
  CAPABILITY_ATTRIBUTE,
  CAPABILITY_BYTES,
  packCapabilities,
  unpackCapabilities,
} from '../../runtime/file-capabilities.ts';
import { type LuaFunction, NONE } from '../../runtime/value.ts';
import { EINVAL } from '../../sys/errno.ts';
import { getxattr, S_IFMT, S_IFREG, setxattr } from '../../sys/filesystem.ts';
import { needAddon } from './failing.ts';
import { checkPath } from './path.ts';
import { statIfThere } from './status.ts';

export const capabilityFunctions: Record<string, LuaFunction> = {
  cap_get_file(p) {
    const path = checkPath(p, 1);
    needAddon();
    const bytes = new Uint8Array(CAPABILITY_BYTES);
    const length = getxattr(path, CAPABILITY_ATTRIBUTE, bytes);
    if (length < 0) throw systemError(-length);
    const set = unpackCapabilities(bytes.subarray(0, length));
    if (set === undefined) throw systemError(EINVAL);
    return set;
  },
  cap_set_file(p, set) {
    const path = checkPath(p, 1);
    if (!(set instanceof LinuxCapabilities)) throw badArgument(2);
    needAddon();
    const found = statIfThere(path);
    const isOther = found !== undefined && (found.mode & S_IFMT) !== S_IFREG;
    const bytes = packCapabilities(set);
    if (bytes === undefined || isOther) throw systemError(EINVAL);
    const result = setxattr(path, CAPABILITY_ATTRIBUTE, bytes);
    if (result < 0) throw systemError(-result);
    return NONE;
  },
};
