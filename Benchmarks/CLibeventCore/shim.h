// The peer that uses libevent is C and includes what it needs itself; this module is there for pkg-config's flags.
#include <event2/event.h>
