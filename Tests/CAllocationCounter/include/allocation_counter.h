// Counts the heap allocations of one thread, for tests that want none.

#ifndef TWILL_ALLOCATION_COUNTER_H
#define TWILL_ALLOCATION_COUNTER_H

// How many times this thread has called malloc, calloc, realloc and their aligned sisters so far; -1 where they can't be counted, which is
// everywhere but on glibc without sanitizers.
long twill_allocation_count(void);

#endif
