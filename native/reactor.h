#ifndef PERILUNE_REACTOR_H
#define PERILUNE_REACTOR_H

/* Ask for the events of `fd` anew, if this thread's reactor has it. */
void reactor_rearm(int fd);

#endif
