/** Where fibers come from, for reports of their errors. */
import type { SitePosition } from '../runtime/error.ts';
import { state } from '../runtime/state.ts';
import type { Fiber, Origin } from './fiber.ts';

/** Generations of spawners that a report tells of. */
const MAX_ORIGINS = 16;

/** Of the fiber made last: those made at one place, by one fiber, share it. */
let lastOrigin: Origin | undefined;

/** Of a fiber that `parent` makes at this place. */
export function originOf(at: SitePosition | undefined, parent: Fiber): Origin {
  if (lastOrigin?.at === at && lastOrigin?.by === parent.id) return lastOrigin!;
  const depth = (parent.origin?.depth ?? 0) + 1;
  const before = depth < MAX_ORIGINS ? parent.origin : undefined;
  lastOrigin = { at, by: parent.id, before, depth: before === undefined ? 1 : depth };
  return lastOrigin;
}

/** Of a fiber that is being made by a call of something named `spawn`. */
export function originHere(parent: Fiber): Origin {
  const site = state.spawnSite as { position: SitePosition } | undefined;
  state.spawnSite = undefined;
  return originOf(site?.position, parent);
}
