// Responses that say nothing and ask to be called right, in the patterns by which verifiers are known to be fooled, and
// problems to try them on. A policy that is rewarded by such a verifier finds them by itself. Huang et al. 2025 ("From
// Accuracy to Robustness", arXiv 2505.22203, section 6) probe verifiers with thirteen patterns; six of these have the
// names of their main table (empty symbols, gibberish, adversarial prefixes, answer explanation, HTML and markdown,
// prompt injection), the other seven and all responses are our own. Rules are held against them by
// test/unit/test_probe.c, a judge by build/probe_judge.
#ifndef JUDGES_PROBE_H
#define JUDGES_PROBE_H

enum { PROBE_PATTERNS = 13, PROBE_RESPONSES_MOST = 8, PROBE_PROBLEMS = 11 };

typedef struct ProbePattern {
    const char *name;
    const char *responses[PROBE_RESPONSES_MOST]; // NULL after the last
} ProbePattern;
extern const ProbePattern probe_patterns[PROBE_PATTERNS];

// A problem to which no response of a pattern is an answer: one for each kind of reference (answers/verify.h).
typedef struct ProbeProblem {
    const char *question, *reference;
    const char *row; // as JSON, with its options; "": none
} ProbeProblem;
extern const ProbeProblem probe_problems[PROBE_PROBLEMS];

#endif
