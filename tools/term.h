/* term.h -- what a person sees: messages and progress on standard error, text made safe to print.
 *
 * Data goes to standard output by stdio; everything here goes to standard error. Colour only on a
 * terminal, never with NO_COLOR or TERM=dumb. One process has one terminal: the state is static.
 * Messages may come from any thread. */
#ifndef CTR_TOOLS_TERM_H
#define CTR_TOOLS_TERM_H

#include <stdint.h>

#include "base/str.h"

enum term_color { TERM_COLOR_AUTO, TERM_COLOR_ALWAYS, TERM_COLOR_NEVER };

/* Looks at the terminal and the environment, makes closed standard streams harmless, and becomes
 * the sink of ctr_log. Call first. */
void term_init(void);
/* quiet: warnings and errors only, no progress. verbose: debug lines too. */
void term_setup(int quiet, int verbose, enum term_color color);

/* Columns of the terminal behind `fd` (within 20 to 200); 80 when it is none or does not say. */
int term_width(int fd);

/* "error: TEXT" and "hint: HINT" from the recorded failure. */
void term_error(void);
/* One line, e.g. "wrote runs/a/model.safetensors"; silent when quiet. */
void term_note(const char *fmt, ...) CTR_PRINTF(1, 2);
void term_warn(const char *fmt, ...) CTR_PRINTF(1, 2);

/* Shows a line that replaces the last one, cut to the width, at most ten times a second; without a
 * terminal it is printed plainly every 30 seconds. Cheap to call often; silent when quiet. */
void term_progress(const char *fmt, ...) CTR_PRINTF(1, 2);
/* Ends the line; the last text given is shown whatever the rate. Harmless without a line. */
void term_progress_end(void);

/* Appends `text` as it may safely be printed: control characters, escape sequences, direction marks
 * and invalid UTF-8 become \n, \x1b, \u202e. For file names and everything else not ours. */
void term_escape(struct ctr_str *out, const char *text);

/* A result: the text to standard output, as it is; then it is freed. CTR_E_FAIL where memory ran
 * out while it was made. */
int term_print(struct ctr_str *text);

/* "1.5 GiB"; "1h02m", "2m05s", "12.3s", "85ms". Buffers of at least 24 bytes; return buf. */
const char *term_bytes(char *buf, uint64_t bytes);
const char *term_duration(char *buf, double seconds);

#endif
