#include "services.h"

#include <syslog.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifdef __APPLE__
#include <crt_externs.h>
#else
extern char **environ;
#endif

int twill_no_new_privileges(void) {
#ifdef __linux__
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#else
    return 0;
#endif
}

void twill_syslog(int priority, const char *line) {
    syslog(priority, "%s", line);
}

char **twill_environment(void) {
#ifdef __APPLE__
    return *_NSGetEnviron();
#else
    return environ;
#endif
}
