/** Where fibers come from, for reports of their errors. */
import type { SitePosition } from '../runtime/error.ts';
import { state } from '../runtime/state.ts';
import type { Fiber, Origin } from './fiber.ts';

/** Generations of spawners that a report tells of. */
const MAX_ORIGINS = 16;

/** Where a call is: for each place there is one such. */
interface Site {
  readonly position: SitePosition;
}

/** Of the fiber made last: those made at one place, by one fiber, share it. */
let lastOrigin: Origin | undefined;
/** That place. */
let lastSite: Site | undefined;

/** Of the fiber that `parent` makes at this place. */
export function originOf(site: Site | undefined, parent: Fiber): Origin {
  const { id, origin } = parent;
  const depth = (origin?.depth ?? 0) + 1;
  const before = depth < MAX_ORIGINS ? origin : undefined;
  const last = lastOrigin;
  if (last !== undefined && lastSite === site && last.by === id && last.before === before)
    return last;
  lastSite = site;
  lastOrigin = { at: site?.position, by: id, before, depth: before === undefined ? 1 : depth };
  return lastOrigin;
}

/** Of a fiber that is being made by a call of something named `spawn`. */
export function originHere(parent: Fiber): Origin {
  const site = state.spawnSite as Site | undefined;
  state.spawnSite = undefined;
  return originOf(site, parent);
}
