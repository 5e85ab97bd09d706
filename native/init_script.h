/* What init_script.c and supervisor.c share. */
#ifndef PERILUNE_INIT_SCRIPT_H
#define PERILUNE_INIT_SCRIPT_H

/* A descriptor of ours that a script can't close or replace; -1: none. */
extern int init_script_kept_fd;

#endif
