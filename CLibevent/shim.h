// libevent's core as Swift sees it: the event base, events and bufferevents. Only libevent_core is linked; the DNS,
// HTTP, RPC and tag modules are never reached.

#ifndef TWILL_CLIBEVENT_SHIM_H
#define TWILL_CLIBEVENT_SHIM_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

// Twill's defences are written for the 2.1.12 behaviour that distributions ship; earlier releases lack fixes that it relies on.
#if !defined(LIBEVENT_VERSION_NUMBER) || LIBEVENT_VERSION_NUMBER < 0x02010c00
#error "Twill needs libevent 2.1.12 or newer: install libevent-dev (apt) or libevent (brew)"
#endif

#endif
