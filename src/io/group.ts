/**
 * What one VM has open, so that its end can close it all. Every function here that opens something
 * takes the group that it belongs to.
 */
export interface Closable {
  /** Completes what is pending with -ECANCELED. May be called twice. */
  close(): void;
}

export class IoGroup {
  private readonly members = new Set<Closable>();

  add(member: Closable): void {
    this.members.add(member);
  }

  delete(member: Closable): void {
    this.members.delete(member);
  }

  get size(): number {
    return this.members.size;
  }

  /** Close all of it, also what the operations that this ends may open meanwhile. */
  closeAll(): void {
    for (const member of this.members) {
      this.members.delete(member);
      member.close();
    }
  }
}
