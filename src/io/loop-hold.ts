/** Keeping the event loop alive. */
import { addPending, removePending } from './reactor.ts';

/** Keeps the event loop alive from `hold` to `release`. */
export class LoopHold {
  private held = false;

  hold(): void {
    if (this.held) return;
    this.held = true;
    addPending();
  }

  release(): void {
    if (!this.held) return;
    this.held = false;
    removePending();
  }
}
