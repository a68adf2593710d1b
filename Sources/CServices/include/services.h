// The few calls of the runner that take a variable number of arguments, or are not there on every system, which Swift can't call.

#ifndef TWILL_CSERVICES_H
#define TWILL_CSERVICES_H

// Says that this process and its children shall never get privileges by starting a program; -1 with errno. Where there is no such thing, 0.
int twill_no_new_privileges(void);

// Sends a line to the system's log.
void twill_syslog(int priority, const char *line);

#endif
