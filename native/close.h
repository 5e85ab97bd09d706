/* Closing what may be anything: fd.c. */
#ifndef PERILUNE_CLOSE_H
#define PERILUNE_CLOSE_H

int close_at_once(int fd);

#endif
