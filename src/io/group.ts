/**
 * What one VM has open, so that its end can close it all. Every function here that opens something
 * takes the group that it belongs to.
 */
export interface Closable {
  /** Completes what is pending with -ECANCELED. May be called twice. */
  close(): void;
}

export class IoGroup {
  private members: Set<Closable> | undefined = undefined;

  add(member: Closable): void {
    this.members ??= new Set();
    this.members.add(member);
  }

  delete(member: Closable): void {
    this.members?.delete(member);
  }

  get size(): number {
    return this.members?.size ?? 0;
  }

  /** Close all of it, also what the operations that this ends may open meanwhile. */
  closeAll(): void {
    const { members } = this;
    if (members === undefined) return;
    for (const member of members) {
      members.delete(member);
      member.close();
    }
  }
}
