/**
 * What one VM has open, so that its end can close it all. Every function here that opens something
 * takes the group that it belongs to.
 */
export interface Closable {
  /** Completes what is pending with -ECANCELED. May be called twice. */
  close(): void;
}

/** One that knows its place in the group: there are many of them, which come and go. */
export interface Placed extends Closable {
  /** -1: in none. For IoGroup only. */
  place: number;
}

export class IoGroup {
  private members: Set<Closable> | undefined = undefined;
  private readonly placed: Placed[] = [];

  add(member: Closable): void {
    this.members ??= new Set();
    this.members.add(member);
  }

  delete(member: Closable): void {
    this.members?.delete(member);
  }

  /** As `add`, without looking it up. */
  place(member: Placed): void {
    member.place = this.placed.length;
    this.placed.push(member);
  }

  /** As `delete`. */
  displace(member: Placed): void {
    const { place } = member;
    if (place < 0) return;
    const last = this.placed.pop()!;
    if (last !== member) {
      this.placed[place] = last;
      last.place = place;
    }
    member.place = -1;
  }

  get size(): number {
    return (this.members?.size ?? 0) + this.placed.length;
  }

  /** Close all of it, also what the operations that this ends may open meanwhile. */
  closeAll(): void {
    while (this.size > 0) {
      for (const member of this.members ?? []) {
        this.members!.delete(member);
        member.close();
      }
      for (let member = this.placed[0]; member !== undefined; member = this.placed[0]) {
        this.displace(member);
        member.close();
      }
    }
  }
}
