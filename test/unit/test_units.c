// Units: equal in any notation, and told apart.
#include "test/support/check.h"
#include "answers/units/units_table.h"
#include "base/philox.h"

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static Unit read_unit(const char *text)
{
    Unit unit;
    if (!unit_read(&unit, span(text)))
        fail_msg("not a unit: %s", text);
    return unit;
}

static const char *const RELATIONS[] = {"same", "convertible", "other", "unknown"};

static void expect(UnitRelation wanted, const char *a, const char *b)
{
    Unit x = read_unit(a), y = read_unit(b);
    UnitRelation relation = units_compare(&x, &y);
    if (relation != wanted)
        fail_msg("%s and %s: %s instead of %s", a, b, RELATIONS[relation], RELATIONS[wanted]);
    assert_int_equal(units_compare(&y, &x), relation);
}

typedef struct Pair {
    const char *a, *b;
} Pair;

static void expect_all(UnitRelation wanted, const Pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(wanted, pairs[i].a, pairs[i].b);
}

#define EXPECT_ALL(wanted, pairs) expect_all(wanted, pairs, sizeof(pairs) / sizeof *(pairs))

// Rows of spellings that mean the same, each ended by NULL.
static void one_unit_is_written_in_many_ways(void **state)
{
    static const char *const rows[][24] = {
        {"m/s^2",
         "m s^{-2}",
         "m \\cdot s^{-2}",
         "\\mathrm{m/s^2}",
         "\\text{m/s}^2",
         "\\text{ m}\\cdot\\text{s}^{-2}",
         "m·s⁻²",
         "\\mathrm{m}/\\mathrm{s}^2",
         "m/s/s",
         "meters per second squared",
         "metres per second per second",
         "m s-2",
         "ms^{-2}",
         "ms⁻²",
         "\\frac{m}{s^2}",
         "\\frac{\\text{m}}{\\text{s}^{2}}",
         "\\mathrm{m\\,s^{-2}}",
         "m*s^-2",
         "m/s**2",
         "m/(s^2)",
         "m/s2",
         "N/kg"},
        {"kJ/mol", "kJ mol^-1", "kJ·mol⁻¹", "kJmol^{-1}", "kilojoules per mole", "KJ/mol", "kJ \\cdot mol^{-1}",
         "kJ/mole", "kJ mol−1"},
        {"J/(mol K)", "J/mol·K", "J/mol K", "J mol^{-1} K^{-1}", "J/(mol*K)", "J K^-1 mol^-1", "Jmol^{-1}K^{-1}",
         "J/mol/K", "joules per mole kelvin", "\\frac{J}{mol \\cdot K}"},
        {"cal/g·K", "cal/(g K)", "cal g^{-1} K^{-1}", "cal/(g·°C)", "cal/g°C", "cal/g·^\\circ C",
         "cal/g ^\\circ\\text{C}"},
        {"mol dm^-3", "mol/dm3", "mol/dm^3", "M", "mol/L", "mol/l", "mol L⁻¹", "moles per liter", "mol/litre", "molar",
         "\\text{mol/dm}^3"},
        {"N m", "N·m", "N-m", "Nm", "newton-meters", "newton metres", "\\text{N}\\cdot\\text{m}",
         "\\mathrm{N}\\mathrm{m}", "J", "N.m", "Joules", "N⋅m", "\\mathrm{N\\cdot m}"},
        {"kΩ", "k\\Omega", "k \\Omega", "\\text{k}\\Omega", "\\mathrm{k\\Omega}", "kilohms", "kiloohm", "kohm", "kOhm"},
        {"m\\Omega", "\\text{m}\\Omega", "milliohms"},
        {"\\mu m", "μm", "µm", "um", "\\mu\\text{m}", "\\mathrm{\\mu m}", "\\text{μm}", "micrometers", "microns",
         "\\mathrm{\\mu}\\mathrm{m}"},
        {"°C", "^\\circ C", "^{\\circ}C", "^\\circ\\text{C}", "^{\\circ}\\mathrm{C}", "degrees Celsius", "degree C",
         "deg C", "℃", "celsius", "° C", "\\,^\\circ\\text{C}", "^oC", "^{o}C", "degrees centigrade", "\\text{°C}",
         "\\degree C"},
        {"°F", "^\\circ F", "degrees Fahrenheit", "℉"},
        {"K", "kelvin", "kelvins", "Kelvin", "\\text{K}", "degrees Kelvin"},
        {"^\\circ", "°", "degrees", "deg", "degree", "^{\\circ}", "\\degree"},
        {"rad", "radians", "\\text{ rad}"},
        {"m^2", "square meters", "m²", "sq m", "sq. m", "square metres", "meters squared", "\\text{m}^2", "m2",
         "sq. meters"},
        {"cm^3", "cubic centimeters", "cc", "mL", "milliliters", "ml", "cm³", "\\text{ cm}^3"},
        {"ft^2", "sq. ft", "sq ft", "square feet", "square foot", "sq. ft."},
        {"mph", "miles per hour", "mi/h", "mi/hr", "miles/hour", "\\text{ mph}", "MPH"},
        {"km/h", "kmh", "kph", "kilometers per hour", "km h^{-1}", "km/hr", "km hr^-1", "km per hour"},
        {"ft-lb", "foot-pounds", "ft*lb", "ft lbs", "ft·lbf", "foot pounds", "lb ft"},
        {"psi", "lb/in^2", "pounds per square inch", "lbf/in^2", "lb/in.^2"},
        {"kWh", "kilowatt hours", "kilowatt-hours", "kW h", "kW·h", "kW hr", "KWh"},
        {"eV", "electron volts", "electronvolt", "electron-volts", "ev"},
        {"MeV", "megaelectronvolts", "Mev"},
        {"ly", "light years", "light-years", "lightyear"},
        {"AU", "astronomical units", "au"},
        {"amu", "u", "Da", "daltons", "atomic mass units"},
        {"torr", "mmHg", "Torr", "mm Hg", "millimeters of mercury", "mm of Hg"},
        {"kcal", "Cal", "kilocalories", "Calories", "kcals"},
        {"BTU", "Btu", "British thermal units"},
        {"L", "l", "liters", "litre", "dm^3", "Liters"},
        {"lb", "lbs", "pounds", "pound", "lbs."},
        {"in", "inches", "inch", "in.", "Inches"},
        {"ft", "feet", "foot"},
        {"min", "minutes", "minute", "mins", "Min"},
        {"h", "hours", "hr", "hrs", "hour", "\\text{ hours}."},
        {"s", "sec", "seconds", "secs", "SEC"},
        {"year", "years", "yr", "yrs"},
        {"Hz", "hertz", "s^{-1}", "1/s", "per second", "/s", "\\frac{1}{s}", "HZ", "hz"},
        {"rad/s", "radians per second", "rad s^{-1}", "rad·s⁻¹"},
        {"rpm", "revolutions per minute", "rev/min"},
        {"Ω", "ohm", "ohms", "\\Omega", "V/A", "Ω"},
        {"\\Omega m", "\\Omega \\cdot m", "Ω·m", "ohm-meters", "\\Omega\\text{m}"},
        {"bits", "bit"},
        {"bytes", "B", "byte"},
        {"kB", "KB", "kilobytes"},
        {"ppm", "parts per million"},
        {"dollars", "\\$", "$", "USD", "dollar", "US dollars", "U.S. dollars", "US$", "usd"},
        {"€", "euros", "EUR", "euro"},
        {"£", "pounds sterling", "GBP"},
        {"¥", "yen", "JPY"},
        {"rupees", "₹", "INR", "Rs"},
        {"cents", "¢", "cent"},
        {"\\$/hour", "dollars per hour", "$/h"},
        {"P", "poise"},
        {"dyn", "dynes", "dyne"},
        {"angstrom", "Å", "\\AA", "angstroms", "\\mathring{A}"},
        {"W/m^2K", "W/(m^2 K)", "W m^-2 K^-1", "W/m²·K", "Wm^{-2}K^{-1}"},
        {"N m^2/C^2", "N·m²/C²", "Nm^2/C^2", "N m^2 C^{-2}"},
        {"kg m^2", "kg·m²", "kgm^2", "kilogram square meters"},
        {"kg", "Kg", "kilograms", "kgs", "KG", "kilos"},
        {"units", "unit", "\\text{ units}"},
        {"square units", "units^2", "unit^2", "sq units", "units squared", "sq. units"},
        {"cubic units", "units^3", "\\text{units}^3"},
        {"apples", "apple", "Apples", "number of apples", "APPLES"},
        {"right triangles", "right triangle", "Right Triangles", "right-triangles"},
        {"liters of water", "L of water", "liters", "Liters of Water"},
        {"grams of NaCl", "g of NaCl", "g"},
        {"people", "person"},
        {"GeV/c^2", "\\text{GeV}/c^2", "\\mathrm{GeV}/\\mathrm{c}^2", "GeV/c²"},
        {"kg m/s", "kgm/s", "kg·m/s", "kg*m*s^-1", "N s", "Ns"},
        {"(m/s)^2", "m^2/s^2"},
        {"M^{-1} s^{-1}", "L/(mol s)", "L mol^-1 s^-1", "M^{-1}s^{-1}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int j = 0; j < 24 && rows[i][j] != NULL; j++)
            expect(UNITS_SAME, rows[i][0], rows[i][j]);
}

static void scales_are_convertible(void **state)
{
    static const Pair pairs[] = {
        {"kg", "g"},         {"mW", "MW"},         {"hours", "minutes"}, {"m", "cm"},
        {"mol/L", "mmol/L"}, {"J", "eV"},          {"°C", "K"},          {"°C", "°F"},
        {"degrees", "rad"},  {"rpm", "rad/s"},     {"atm", "Pa"},        {"M \\Omega", "\\Omega"},
        {"km/h", "m/s"},     {"dollars", "cents"}, {"L", "cm^3"},        {"month", "year"},
        {"cal", "J"},        {"pc", "ly"},         {"G", "T"},           {"kg m/s^2", "dyn"},
        {"ft-lb", "J"},      {"psi", "kPa"},       {"bits", "bytes"},    {"Ah", "C"},
        {"ppm", "ppb"},      {"tonne", "kg"},      {"acre", "ha"},       {"apples per hour", "apples per minute"},
        {"ms", "s"},         {"MeV/c^2", "kg"},    {"MeV/c", "kg m/s"},  {"nm", "Å"},
    };
    EXPECT_ALL(UNITS_CONVERTIBLE, pairs);
}

static void other_dimensions_are_told_apart(void **state)
{
    static const Pair pairs[] = {
        {"m", "s"},
        {"m", "m^2"},
        {"Pa", "pA"},
        {"$", "€"},
        {"dollars", "yen"},
        {"£", "€"},
        {"J", "W"},
        {"kg", "N"},
        {"m/s", "m/s^2"},
        {"mol", "M"},
        {"mol", "g"},
        {"K", "J"},
        {"s", "S"},
        {"h", "H"},
        {"t", "T"},
        {"g", "G"},
        {"W", "Wh"},
        {"V", "A"},
        {"N", "N m"},
        {"N/m", "N m"},
        {"cm^2", "cm^3"},
        {"°C", "m"},
        {"J/mol", "J/(mol K)"},
        {"lb", "ft"},
        {"Hz", "s"},
        {"bytes", "s"},
        {"units/s", "units"},
        {"rupees", "$"},
        {"min", "m"},
        {"mm", "Mm^2"},
        {"mol", "m"},
    };
    EXPECT_ALL(UNITS_OTHER, pairs);
}

static void doubtful_pairs_are_left_to_others(void **state)
{
    static const Pair pairs[] = {
        {"C", "°C"},
        {"F", "°F"},
        {"degrees", "°C"},
        {"J/C", "J/°C"},
        {"rad/s", "Hz"},
        {"rad/s", "s^-1"},
        {"rpm", "Hz"},
        {"lb", "N"},
        {"pounds", "£"},
        {"oz", "mL"},
        {"u", "g/mol"},
        {"m", "mol/kg"},
        {"N", "mol/L"},
        {"$", "AUD"},
        {"¥", "yuan"},
        {"cents", "€"},
        {"kB", "bytes"},
        {"kB", "KiB"},
        {"ton", "tonne"},
        {"ton", "kg"},
        {"cal", "Cal"},
        {"year", "days"},
        {"month", "days"},
        {"apples", "oranges"},
        {"apples", "kg"},
        {"units", "cm"},
        {"units", "square units"},
        {"right triangles", "triangles"},
        {"liters of water", "liters of milk"},
        {"grams of NaCl", "grams of KCl"},
        {"degrees north of east", "degrees"},
        {"degrees north of east", "degrees north of west"},
        {"dB", "W"},
        {"mIN", "min"},
        {"pSi", "psi"},
        {"degrees of freedom", "degrees"},
        {"AaBb", "aaBb"},
        {"Lhf", "lHf"},
        {"dBm", "dbm"},
        {"kg apples", "kg"},
        {"apples per hour", "oranges per hour"},
    };
    EXPECT_ALL(UNITS_UNKNOWN, pairs);
}

static void what_is_no_unit_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "5",
        "x",
        "k",
        "%",
        "percent",
        "\\%",
        "5 kg",
        "m/",
        "*m",
        "m**",
        "m^",
        "m^0",
        "m^x",
        "m//s",
        "(m",
        "m)",
        "{m",
        "m}",
        "m^{-",
        "m_e",
        "kg, m",
        "x+1",
        "m+s",
        "m=s",
        "apples (red)",
        "3 apples",
        "apples or six",
        "million",
        "thousand dollars or so",
        "one two",
        "sin",
        "\\pi",
        "\\sqrt{m}",
        "\\alpha",
        "theta",
        "H2O",
        "C2H4",
        "CO2",
        "N2",
        "kg of 5",
        "kg of nothing or more",
        "m of",
        "apples pears plums cherries dates",
        "m^{1000}",
        "m^{99}",
        "J/kg K^-1",
        "m - s",
        "1",
        "1 m",
        "m\\",
        "\\frac{m}",
        "\\frac{m}{",
        "\\text{m",
        "m^^2",
        "m^2^2",
        "α",
        "→",
        "m/1",
        "per",
        "of",
        "\\text{}",
        "()",
        "((((((m))))))",
        "not meters",
        "halves",
        "tenths",
        "2pi",
        "a",
        "I",
        "inf",
        "m\n+",
        "2/s",
        "$5",
        "5$",
        "ab/cd",
        "mb",

        "aU",
        "Au",
        "MM",

        "meters (m)",
        "(m) (s)",
        "kg (units)",
        "c",
        "m/c",
        "of water",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Unit unit;
        if (unit_read(&unit, span(texts[i])))
            fail_msg("read as a unit: %s", texts[i]);
    }
}

static void convert(const char *number, const char *from, const char *to, const char *wanted)
{
    Unit a = read_unit(from), b = read_unit(to);
    mpq_t value, right;
    mpq_inits(value, right, NULL);
    mpq_set_str(value, number, 10);
    mpq_set_str(right, wanted, 10);
    mpq_canonicalize(value);
    mpq_canonicalize(right);
    assert_true(unit_convert_is_exact(&a, &b));
    unit_convert(value, &a, &b);
    if (!mpq_equal(value, right)) {
        char *text = mpq_get_str(NULL, 10, value);
        fail_msg("%s %s is %s %s, not %s", number, from, text, to, wanted);
    }
    mpq_clears(value, right, NULL);
}

static void conversions_are_exact(void **state)
{
    convert("5", "kg", "g", "5000");
    convert("2", "hours", "minutes", "120");
    convert("25", "°C", "K", "5963/20");
    convert("212", "°F", "°C", "100");
    convert("-40", "°C", "°F", "-40");
    convert("0", "K", "°F", "-45967/100");
    convert("18", "km/h", "m/s", "5");
    convert("1", "mi", "km", "1609344/1000000");
    convert("1", "atm", "torr", "760");
    convert("1", "kWh", "J", "3600000");
    convert("1", "eV", "J", "1602176634/10000000000000000000000000000");
    convert("1", "hp", "ft-lb/s", "550");
    convert("1", "psi", "lbf/ft^2", "144");
    convert("1", "psi", "psf", "144");
    convert("1", "gal", "in^3", "231");
    convert("1", "pt", "cup", "2");
    convert("1", "cup", "floz", "8");
    convert("1", "floz", "tbsp", "2");
    convert("1", "tbsp", "tsp", "3");
    convert("1", "qt", "pt", "2");
    convert("1", "bbl", "gal", "42");
    convert("1", "acre", "ft^2", "43560");
    convert("1", "long ton", "lb", "2240");
    convert("1", "short ton", "lb", "2000");
    convert("1", "lb", "oz", "16");
    convert("1", "slug", "lbf s^2/ft", "1");
    convert("1", "mi", "furlong", "8");
    convert("1", "knot", "nmi/h", "1");
    convert("1", "mpg", "mi/gal", "1");
    convert("1", "BTU", "therm", "1/100000");
    convert("1", "M", "mol/m^3", "1000");
    convert("18", "months", "years", "3/2");
    convert("1", "mile^3", "km^3", "4168181825440579584/1000000000000000000");
    convert("3", "J/(g °C)", "J/(kg K)", "3000");
    convert("60", "rpm", "rev/s", "1");
    convert("60", "arcsec", "arcmin", "1");
    convert("60", "arcmin", "degrees", "1");
    convert("1", "Ah", "C", "3600");
    convert("1", "D", "C m", "1/299792458000000000000000000000");
    convert("1", "Ci", "Bq", "37000000000");
    convert("1", "fortnight", "weeks", "2");
    convert("1", "GiB", "MiB", "1024");
}

static void degrees_are_turned_into_radians(void **state)
{
    Unit degree = read_unit("degrees"), radian = read_unit("rad");
    assert_false(unit_convert_is_exact(&degree, &radian));
    mpfr_t value;
    mpfr_init2(value, 192);
    mpfr_set_si(value, 180, MPFR_RNDN);
    unit_convert_real(value, &degree, &radian);
    // one pi, one ratio, two products, each within 2^-191 of pi
    assert_true(fabs(mpfr_get_d(value, MPFR_RNDN) - 3.14159265358979323846) < 1e-15);
    unit_convert_real(value, &radian, &degree);
    mpfr_sub_si(value, value, 180, MPFR_RNDN);
    assert_true(fabs(mpfr_get_d(value, MPFR_RNDN)) < 0x1p-180);
    Unit celsius = read_unit("°C"), kelvin = read_unit("K");
    mpfr_set_si(value, 27, MPFR_RNDN);
    unit_convert_real(value, &celsius, &kelvin);
    assert_true(fabs(mpfr_get_d(value, MPFR_RNDN) - 300.15) < 1e-12);
    mpfr_clear(value);
}

// ---- properties

static void tables_are_sorted_and_lead_somewhere(void **state)
{
    for (int i = 1; i < UNIT_SYMBOL_COUNT; i++)
        assert_true(strcmp(UNIT_SYMBOLS[i - 1].symbol, UNIT_SYMBOLS[i].symbol) < 0);
    for (int i = 1; i < UNIT_NAME_COUNT; i++)
        assert_true(strcmp(UNIT_NAMES[i - 1].name, UNIT_NAMES[i].name) < 0);
    for (int i = 1; i < UNIT_ALIAS_COUNT; i++)
        assert_true(strcmp(UNIT_ALIASES[i - 1].name, UNIT_ALIASES[i].name) < 0);
    for (int i = 1; i < UNIT_NO_WORD_COUNT; i++)
        assert_true(strcmp(UNIT_NO_WORDS[i - 1], UNIT_NO_WORDS[i]) < 0);
    Unit unit;
    uint8_t flags;
    for (int i = 0; i < UNIT_NAME_COUNT; i++)
        if (!unit_of_symbol(&unit, UNIT_NAMES[i].symbol, &flags))
            fail_msg("%s is %s, which is nothing", UNIT_NAMES[i].name, UNIT_NAMES[i].symbol);
    for (int i = 0; i < UNIT_ALIAS_COUNT; i++)
        if (!unit_of_symbol(&unit, UNIT_ALIASES[i].symbol, &flags))
            fail_msg("%s is %s, which is nothing", UNIT_ALIASES[i].name, UNIT_ALIASES[i].symbol);
}

static const UnitRow *random_row(uint32_t *draw)
{
    for (;;) {
        const UnitRow *row =
            &UNIT_SYMBOLS[random_bits(3, RANDOM_ROUNDING, (*draw)++, 0, 0).v[0] % (uint32_t)UNIT_SYMBOL_COUNT];
        if (!(row->flags & (UNIT_PREFIX_ONLY | UNIT_GLUED)) && row->word == NULL && strchr(row->symbol, ' ') == NULL &&
            strcmp(row->symbol, "in") != 0 && row->offset_denominator == 0 && strcmp(row->symbol, "eurocent") != 0 &&
            strcmp(row->symbol, "floz") != 0 && strcmp(row->symbol, "°") != 0)
            return row;
    }
}

static void random_units_are_the_same_in_any_order_and_convert_there_and_back(void **state)
{
    uint32_t draw = 0;
    for (int i = 0; i < 3000; i++) {
        const UnitRow *a = random_row(&draw), *b = random_row(&draw), *c = random_row(&draw);
        if (a == b || b == c || a == c)
            continue;
        char first[128], second[128], third[128];
        snprintf(first, sizeof first, "%s^2*%s/%s", a->symbol, b->symbol, c->symbol);
        snprintf(second, sizeof second, "%s %s^{-1} \\cdot \\text{%s}^{2}", b->symbol, c->symbol, a->symbol);
        snprintf(third, sizeof third, "%s*%s^2/%s", a->symbol, b->symbol, c->symbol);
        Unit x, y, z;
        if (!unit_read(&x, span(first)) || !unit_read(&y, span(second)) || !unit_read(&z, span(third)))
            continue; // an overflow: refused
        UnitRelation relation = units_compare(&x, &y);
        if (relation != UNITS_SAME)
            fail_msg("%s and %s: %s", first, second, RELATIONS[relation]);
        assert_int_equal(units_compare(&x, &z), units_compare(&z, &x));
        mpq_t value;
        mpq_init(value);
        mpq_set_si(value, 355, 113);
        unit_convert(value, &x, &z);
        unit_convert(value, &z, &x);
        assert_int_equal(mpq_cmp_si(value, 355, 113), 0);
        mpq_clear(value);
    }
}

static void another_prefix_is_another_unit(void **state)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "m", "μ", "n", "p", "c", "d", "h", "da"};
    enum { PREFIX_COUNT = sizeof prefixes / sizeof *prefixes };
    for (int i = 0; i < UNIT_SYMBOL_COUNT; i++)
        for (int a = 0; a < PREFIX_COUNT; a++)
            for (int b = 0; b < PREFIX_COUNT; b++) {
                char first[64], second[64];
                snprintf(first, sizeof first, "%s%s", prefixes[a], UNIT_SYMBOLS[i].symbol);
                snprintf(second, sizeof second, "%s%s", prefixes[b], UNIT_SYMBOLS[i].symbol);
                Unit x, y;
                bool inch = strcmp(UNIT_SYMBOLS[i].symbol, "in") == 0;      // Min is min
                bool calories = strcmp(UNIT_SYMBOLS[i].symbol, "Cal") == 0; // a kCal is a kcal, which is a Cal
                if (a != b && !calories && !inch && unit_read(&x, span(first)) && x.words_count == 0 &&
                    unit_read(&y, span(second)) && units_compare(&x, &y) == UNITS_SAME)
                    fail_msg("%s is %s", first, second);
            }
}

// Of one symbol made another by changing a letter: only those that the table gives the same meaning.
static void another_letter_is_another_unit(void **state)
{
    static const char *const same[][2] = {{"L", "l"}, {"kph", "kmh"}, {"paise", "paisa"}, {NULL, NULL}};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 0; i < UNIT_SYMBOL_COUNT; i++) {
        const char *symbol = UNIT_SYMBOLS[i].symbol;
        Unit x, y;
        if (!unit_read(&x, span(symbol)) || x.words_count > 0)
            continue;
        for (size_t at = 0; at < strlen(symbol); at++)
            for (const char *letter = letters; *letter != 0; letter++) {
                char changed[64];
                snprintf(changed, sizeof changed, "%s", symbol);
                changed[at] = *letter;
                if (*letter == symbol[at] || (unsigned char)symbol[at] >= 0x80 || !unit_read(&y, span(changed)) ||
                    units_compare(&x, &y) != UNITS_SAME)
                    continue;
                bool known =
                    strcasecmp(symbol, changed) == 0 && strlen(symbol) > 1; // a name in other capitals, or an alias
                for (int j = 0; same[j][0] != NULL; j++)
                    known |= (strcmp(symbol, same[j][0]) == 0 && strcasecmp(changed, same[j][1]) == 0) ||
                             (strcmp(symbol, same[j][1]) == 0 && strcasecmp(changed, same[j][0]) == 0);
                if (!known)
                    fail_msg("%s is %s", symbol, changed);
            }
    }
}

// Any bytes at all: read or refused, never out of bounds (the sanitizers watch), and equal to themselves when read.
static void any_bytes_are_read_or_refused(void **state)
{
    static const char *const pieces[] = {"m",      "s",    "\\text{", "}",       "{",  "^",   "\\circ", "/", "-",
                                         "1",      "2",    " ",       "\\frac{", "(",  ")",   "μ",      "Ω", "°",
                                         "²",      "⁻",    "\\mu",    "kg",      "of", "per", "*",      ".", "square",
                                         "apples", "\xff", "\\",      "$",       "C",  "in"};
    enum { PIECES = sizeof pieces / sizeof *pieces };
    int read = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        char text[256];
        size_t size = 0;
        int count = 1 + (int)(random_bits(5, RANDOM_ROUNDING, i, 0, 0).v[0] % 9);
        for (int j = 0; j < count; j++) {
            const char *piece = pieces[random_bits(5, RANDOM_ROUNDING, i, 1, (uint32_t)j).v[1] % PIECES];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        char *exact = malloc(size); // so that the sanitizer sees a byte too many
        memcpy(exact, text, size);
        Unit unit;
        if (unit_read(&unit, (Text){exact, size})) {
            assert_int_equal(units_compare(&unit, &unit), UNITS_SAME);
            read++;
        }
        free(exact);
    }
    assert_in_range(read, 100, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_unit_is_written_in_many_ways),
        cmocka_unit_test(scales_are_convertible),
        cmocka_unit_test(other_dimensions_are_told_apart),
        cmocka_unit_test(doubtful_pairs_are_left_to_others),
        cmocka_unit_test(what_is_no_unit_is_not_read),
        cmocka_unit_test(conversions_are_exact),
        cmocka_unit_test(degrees_are_turned_into_radians),
        cmocka_unit_test(tables_are_sorted_and_lead_somewhere),
        cmocka_unit_test(random_units_are_the_same_in_any_order_and_convert_there_and_back),
        cmocka_unit_test(another_prefix_is_another_unit),
        cmocka_unit_test(another_letter_is_another_unit),
        cmocka_unit_test(any_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
