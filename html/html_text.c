// The style and the script that pages share.
#include "html/html.h"

HTML_EMBEDDED(HTML_STYLE, "html/page.css")
HTML_EMBEDDED(HTML_SCRIPT, "html/page.js")
