/* interrupt.h -- SIGINT, SIGTERM and SIGHUP ask long work to end in good order; a second one ends the
 * program at once. What is ignored stays ignored: `nohup`, and background jobs of shells. */
#ifndef CTR_TOOLS_INTERRUPT_H
#define CTR_TOOLS_INTERRUPT_H

/* From now on they are only remembered. */
void interrupt_catch(void);
/* The signal's number, 0: none came. */
int interrupt_caught(void);
/* Once the work is saved and standard output flushed: if one came, the program dies of it, so that its caller knows. */
void interrupt_obey(void);

#endif
