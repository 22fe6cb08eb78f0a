/* How the kernel shares processors among the receiver's threads. */
#ifndef INF_SCHEDULE_H
#define INF_SCHEDULE_H

/* The calling thread does little at a time and others wait for it: asks for short turns, so that it gets a processor as
 * soon as it wakes up, also from a thread of ours that computes. No more of it in all, and no rights are needed; a
 * kernel before Linux 6.12 takes no notice. */
void inf_schedule_short_turns(void);

#endif
