// The C interface: arguments checked, exceptions turned into messages.
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <sstream>

#include "formats/error.h"
#include "formats/value_text.h"
#include "sim/datapath_toml.h"
#include "sim/dpi/accsim_dpi.h"
#include "sim/dpi/clocked_issues.h"

namespace {

using accsim::InputError;
using accsim::formats::Code;
using accsim::formats::code_bits;
using accsim::formats::Format;
using accsim::sim::ClockedIssues;

constexpr int failed = -1;
constexpr std::size_t most_texts = 1000;

struct Unit {
  Unit(const accsim::sim::Datapath& datapath, accsim::sim::IssueLatency latency) : issues(datapath, latency) {}
  ClockedIssues issues;
  std::string error;
  std::vector<std::string> mismatches;
  int mismatch_count = 0;
};

/// The message of a failed call without a unit.
std::string& error_without_unit() {
  thread_local std::string error;
  return error;
}

/// Runs `call` on the unit; a null handle and exceptions become a message and a negative result.
template <class Call>
int guarded(void* handle, Call&& call) noexcept {
  auto* unit = static_cast<Unit*>(handle);
  try {
    if (unit == nullptr) throw InputError("unit", "a null handle", "what accsim_create returned");
    return call(*unit);
  } catch (const std::exception& error) {
    (unit != nullptr ? unit->error : error_without_unit()) = error.what();
  } catch (...) {
    (unit != nullptr ? unit->error : error_without_unit()) = "an unknown error";
  }
  return failed;
}

std::string text_of(const char* text, const char* what) {
  if (text == nullptr) throw InputError(what, "a null pointer", "a string");
  return text;
}

int number(const std::string& option, const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) throw InputError(option, "\"" + text + "\"", "an integer");
  return value;
}

/// The registers that `[timing]` gives an issue of the innermost level; one where there is none.
accsim::sim::IssueLatency latency_of(const accsim::sim::Datapath& datapath) {
  if (!datapath.timing) return {};
  const accsim::sim::Timing& t = *datapath.timing;
  const int product = t.input + t.multiplier;
  return {.result = std::max(1, product + t.adder_of(0) + t.output), .product = std::max(1, product)};
}

std::unique_ptr<Unit> make_unit(const std::string& datapath, const std::string& options) {
  accsim::sim::DatapathOverrides o;
  std::optional<int> result_latency;
  std::optional<int> product_latency;
  std::istringstream words(options);
  std::string name;
  while (words >> name) {
    std::string value;
    if (const std::size_t equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (!(words >> value)) {
      throw InputError("options: " + name, "no value", "a value after each option");
    }
    if (name == "--in") o.in_a = o.in_b = value;
    else if (name == "--in-a") o.in_a = value;
    else if (name == "--in-b") o.in_b = value;
    else if (name == "--product") o.product = value;
    else if (name == "--rounding") o.rounding = value;
    else if (name == "--overflow") o.overflow = value;
    else if (name == "--chunk") o.chunk = number(name, value);
    else if (name == "--set") o.set.push_back(value);
    else if (name == "--latency") result_latency = number(name, value);
    else if (name == "--product-latency") product_latency = number(name, value);
    else
      throw InputError("options", "\"" + name + "\"",
                       "--in, --in-a, --in-b, --product, --rounding, --overflow, --chunk, --set, --latency, --product-latency");
  }
  const bool is_text = datapath.find('\n') != std::string::npos;
  const accsim::sim::Datapath d = is_text ? accsim::sim::parse_datapath(datapath, "datapath", o) : accsim::sim::find_datapath(datapath, o);
  accsim::sim::IssueLatency latency = latency_of(d);
  latency.result = result_latency.value_or(latency.result);
  latency.product = product_latency.value_or(std::min(latency.product, latency.result));
  return std::make_unique<Unit>(d, latency);
}

Code checked(Code code, const Format& format, const char* what) {
  if (code_bits(format) < 128 && (code >> code_bits(format)) != 0)
    throw InputError(what, "a code of more than " + std::to_string(code_bits(format)) + " bits", "a code of " + format.name);
  return code;
}

/// A code as one word.
std::uint64_t word(Code code, const Format& format) {
  if (code_bits(format) > 64) throw InputError("result", std::to_string(code_bits(format)) + " bits", "accsim_row for more than 64");
  return static_cast<std::uint64_t>(code);
}

/// The codes of a packed vector, term 0 at bit 0.
std::vector<Code> unpacked(const std::uint32_t* words, int terms, const Format& format, const char* what) {
  if (words == nullptr) throw InputError(what, "a null pointer", "a packed vector");
  const int bits = code_bits(format);
  if (terms < 1 || terms > ACCSIM_DPI_BITS / bits)
    throw InputError("terms", std::to_string(terms), "1 to " + std::to_string(ACCSIM_DPI_BITS / bits));
  std::vector<Code> codes(static_cast<std::size_t>(terms));
  for (int i = 0; i < terms * bits; ++i) {
    const Code bit = (words[i / 32] >> (i % 32)) & 1U;
    codes[static_cast<std::size_t>(i / bits)] |= bit << (i % bits);
  }
  return codes;
}

std::string decoded(Code code, const Format& format) {
  return accsim::formats::code_text(code, format) + " (" + accsim::formats::value_text(decode(code, format)) + ")";
}

const Format& flags_format() {
  static const Format format = accsim::formats::parse_format("uint5");
  return format;
}

std::string operands_of(const ClockedIssues::Slot& slot, const ClockedIssues& issues) {
  std::string text;
  const accsim::sim::IssueModel& model = issues.model();
  for (std::size_t i = 0; i < slot.a.size(); ++i) {
    text += (i == 0 ? "a " : ", a ") + decoded(slot.a[i], model.a_format()) + ", b " + decoded(slot.b[i], model.b_format());
  }
  if (model.has_accumulator()) text += ", accumulator " + decoded(slot.accumulator, model.in_format());
  return text + ", taken in cycle " + std::to_string(slot.taken);
}

int mismatch(Unit& unit, const std::string& text) {
  ++unit.mismatch_count;
  if (unit.mismatches.size() < most_texts) unit.mismatches.push_back("cycle " + std::to_string(unit.issues.cycle()) + ": " + text);
  return 0;
}

int compare(Unit& unit, const std::string& what, Code expected, Code found, const Format& format, const ClockedIssues::Slot& slot) {
  if (expected == found) return 1;
  const bool fits = code_bits(format) >= 64 || (found >> code_bits(format)) == 0;
  return mismatch(unit, what + " expected " + decoded(expected, format) + ", found " +
                            (fits ? decoded(found, format) : "a code of more than " + std::to_string(code_bits(format)) + " bits") + "; " +
                            operands_of(slot, unit.issues));
}

int check_valid(Unit& unit, const char* what, bool expected, std::uint64_t found) {
  if (static_cast<std::uint64_t>(expected) == found) return 1;
  return mismatch(unit, std::string("stage control: ") + what + " expected " + (expected ? "1" : "0") + ", found " + std::to_string(found));
}

int check(Unit& unit, const std::string& signal, std::uint64_t found) {
  const accsim::sim::IssueModel& model = unit.issues.model();
  const ClockedIssues::Slot& output = unit.issues.output();
  const ClockedIssues::Slot& product = unit.issues.product();
  if (signal == "valid") return check_valid(unit, "valid", output.valid, found);
  if (signal == "product_valid") return check_valid(unit, "product_valid", product.valid, found);
  if (signal == "acc") {
    if (!output.valid) return 1;
    (void)word(output.result.accumulator, model.out_format());
    return compare(unit, "stage sum: acc", output.result.accumulator, found, model.out_format(), output);
  }
  if (signal == "flags") return output.valid ? compare(unit, "stage sum: flags", output.result.flags, found, flags_format(), output) : 1;
  if (signal == "product") {
    if (!product.valid) return 1;
    if (!product.result.product) throw InputError("signal", "product, which this datapath does not round to a format", "acc, flags, valid");
    return compare(unit, "stage product: product", *product.result.product, found, *model.product_format(), product);
  }
  throw InputError("signal", "\"" + signal + "\"", "valid, acc, flags, product_valid, product");
}

int peek(const Unit& unit, const std::string& signal, std::uint64_t& value) {
  const ClockedIssues::Slot& output = unit.issues.output();
  const ClockedIssues::Slot& product = unit.issues.product();
  value = 0;
  if (signal == "valid") value = output.valid ? 1 : 0;
  else if (signal == "product_valid") value = product.valid ? 1 : 0;
  else if (signal == "acc" && output.valid) value = word(output.result.accumulator, unit.issues.model().out_format());
  else if (signal == "flags" && output.valid) value = output.result.flags;
  else if (signal == "product" && product.valid && product.result.product) value = static_cast<std::uint64_t>(*product.result.product);
  else if (signal != "acc" && signal != "flags" && signal != "product")
    throw InputError("signal", "\"" + signal + "\"", "valid, acc, flags, product_valid, product");
  return signal.starts_with("product") ? static_cast<int>(product.valid) : static_cast<int>(output.valid);
}

int bits(const Unit& unit, const std::string& what) {
  const accsim::sim::IssueModel& model = unit.issues.model();
  if (what == "a") return code_bits(model.a_format());
  if (what == "b") return code_bits(model.b_format());
  if (what == "acc_in") return code_bits(model.in_format());
  if (what == "acc_out") return code_bits(model.out_format());
  if (what == "product") return model.product_format() ? code_bits(*model.product_format()) : 0;
  if (what == "terms") {
    const accsim::sim::Level& level = unit.issues.datapath().levels.front();
    return accsim::sim::has_issues(level.kind) ? static_cast<int>(level.terms.value_or(0)) : 1;
  }
  throw InputError("what", "\"" + what + "\"", "a, b, acc_in, acc_out, product, terms");
}

void require(const void* pointer, const char* what) {
  if (pointer == nullptr) throw InputError(what, "a null pointer", "a place for the result");
}

}  // namespace

extern "C" {

int accsim_version(void) { return ACCSIM_DPI_VERSION; }

void* accsim_create(int version, const char* datapath, const char* options) {
  try {
    if (version != ACCSIM_DPI_VERSION)
      throw InputError("version", std::to_string(version), std::to_string(ACCSIM_DPI_VERSION) + ", that of this library");
    return make_unit(text_of(datapath, "datapath"), options == nullptr ? "" : options).release();
  } catch (const std::exception& error) {
    error_without_unit() = error.what();
  } catch (...) {
    error_without_unit() = "an unknown error";
  }
  return nullptr;
}

void accsim_destroy(void* unit) { delete static_cast<Unit*>(unit); }

const char* accsim_last_error(void* unit) { return (unit != nullptr ? static_cast<Unit*>(unit)->error : error_without_unit()).c_str(); }

int accsim_reset(void* handle) {
  return guarded(handle, [](Unit& unit) {
    unit.issues.reset();
    unit.mismatches.clear();
    unit.mismatch_count = 0;
    unit.error.clear();
    return 0;
  });
}

int accsim_bits(void* handle, const char* what) {
  return guarded(handle, [&](Unit& unit) { return bits(unit, text_of(what, "what")); });
}

int accsim_mac(void* handle, uint64_t a, uint64_t b, uint64_t acc_in, uint64_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_out, "acc_out");
    accsim::sim::IssueModel& model = unit.issues.model();
    const Code x = checked(a, model.a_format(), "a");
    const Code y = checked(b, model.b_format(), "b");
    const Code c = checked(acc_in, model.in_format(), "acc_in");
    const accsim::sim::IssueResult r =
        model.run({.a = std::span(&x, 1), .b = std::span(&y, 1), .accumulator = c, .subtract = false, .row = 0});
    *acc_out = word(r.accumulator, model.out_format());
    return static_cast<int>(r.flags);
  });
}

int accsim_step(void* handle, int first, uint64_t a, uint64_t b, uint64_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_out, "acc_out");
    const accsim::sim::IssueModel& model = unit.issues.model();
    const ClockedIssues::Slot& slot =
        unit.issues.step(first != 0, {checked(a, model.a_format(), "a")}, {checked(b, model.b_format(), "b")});
    *acc_out = word(slot.result.accumulator, model.out_format());
    return static_cast<int>(slot.result.flags);
  });
}

int accsim_row(void* handle, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in, uint32_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_in, "acc_in");
    require(acc_out, "acc_out");
    accsim::sim::IssueModel& model = unit.issues.model();
    const std::vector<Code> x = unpacked(a, terms, model.a_format(), "a");
    const std::vector<Code> y = unpacked(b, terms, model.b_format(), "b");
    Code c = 0;
    for (int i = 3; i >= 0; --i) c = (c << 32) | acc_in[i];
    const accsim::sim::IssueResult r =
        model.run({.a = x, .b = y, .accumulator = checked(c, model.in_format(), "acc_in"), .subtract = false, .row = 0});
    for (int i = 0; i < 4; ++i) acc_out[i] = static_cast<std::uint32_t>(r.accumulator >> (32 * i));
    return static_cast<int>(r.flags);
  });
}

int accsim_total(void* handle, uint64_t* out) {
  return guarded(handle, [&](Unit& unit) {
    require(out, "out");
    *out = word(unit.issues.total(), unit.issues.datapath().result_format());
    return 0;
  });
}

int accsim_clock(void* handle, int reset, int in_valid, int first, uint64_t a, uint64_t b) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::IssueModel& model = unit.issues.model();
    const bool takes = reset == 0 && in_valid != 0;
    unit.issues.clock(reset != 0, takes, first != 0, {takes ? checked(a, model.a_format(), "a") : Code{0}},
                      {takes ? checked(b, model.b_format(), "b") : Code{0}});
    return static_cast<int>(unit.issues.output().valid);
  });
}

int accsim_clock_row(void* handle, int reset, int in_valid, int first, int terms, const uint32_t* a, const uint32_t* b) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::IssueModel& model = unit.issues.model();
    if (reset != 0 || in_valid == 0) unit.issues.clock(reset != 0, false, false, {}, {});
    else unit.issues.clock(false, true, first != 0, unpacked(a, terms, model.a_format(), "a"), unpacked(b, terms, model.b_format(), "b"));
    return static_cast<int>(unit.issues.output().valid);
  });
}

int accsim_peek(void* handle, const char* signal, uint64_t* value) {
  return guarded(handle, [&](Unit& unit) {
    require(value, "value");
    return peek(unit, text_of(signal, "signal"), *value);
  });
}

int accsim_check(void* handle, const char* signal, uint64_t found) {
  return guarded(handle, [&](Unit& unit) { return check(unit, text_of(signal, "signal"), found); });
}

int accsim_check_value(void* handle, const char* what, uint64_t expected, uint64_t found) {
  return guarded(handle, [&](Unit& unit) {
    const std::string name = text_of(what, "what");
    if (expected == found) return 1;
    std::ostringstream text;
    text << std::hex << name << " expected " << expected << ", found " << found;
    return mismatch(unit, text.str());
  });
}

int accsim_error_count(void* handle) {
  return guarded(handle, [](Unit& unit) { return unit.mismatch_count; });
}

const char* accsim_error_text(void* handle, int index) {
  const auto* unit = static_cast<Unit*>(handle);
  if (unit == nullptr || index < 0 || static_cast<std::size_t>(index) >= unit->mismatches.size()) return "";
  return unit->mismatches[static_cast<std::size_t>(index)].c_str();
}

}  // extern "C"
