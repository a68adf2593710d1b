// The few things of the system that the runner needs and Swift does not see: calls that take a variable number of arguments, or that only some
// systems have.

#ifndef TWILL_CSERVICES_H
#define TWILL_CSERVICES_H

// Says that this process and its children shall never get privileges by starting a program; -1 with errno. Where there is no such thing, 0.
int twill_no_new_privileges(void);

// Says that the memory of this process shall never be written to a file; -1 with errno.
int twill_no_core_dumps(void);

// Sends a line to the system's log.
void twill_syslog(int priority, const char *line);

// The environment of this process.
char **twill_environment(void);

#endif
