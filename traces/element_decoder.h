// Elements of a dataset from stored bytes to decode(code) - zero_point, exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "traces/dataset.h"

namespace accsim::traces {

/// The carriers of sim::Values, from small to large.
enum class Carrier { binary32, binary64, exact };

/// Whether binary32 holds the number; NaN and infinities count.
bool fits_binary32(double number);

/// The values of neighbouring elements: as binary64, and spelled out where that does not hold them (nearly never).
struct DecodedRun {
  std::vector<double> numbers;                                 ///< the nearest binary64 where it is not exact
  std::vector<std::pair<std::size_t, formats::Exact>> beyond;  ///< (index in `numbers`, the value), by index
};

/// Decodes the elements of one dataset. NaN and infinities are data.
class ElementDecoder {
 public:
  explicit ElementDecoder(const Dataset& dataset);

  /// A carrier that holds every value which the dataset can have, going by type, format and zero points alone.
  [[nodiscard]] Carrier carrier_by_type() const;

  /// The values of the run that starts at the row-major index `first`; valid until the next call.
  /// InputError for a code that the format does not have.
  const DecodedRun& decode(std::int64_t first, std::span<const std::byte> run);

  /// True where no element can be refused: floating point, whose every pattern is a value.
  [[nodiscard]] bool takes_everything() const { return dataset_.stored.kind != h5::StoredType::Kind::integer; }
  /// True where elements are stored as the binary32 numbers that they mean.
  [[nodiscard]] bool is_plain_binary32() const { return dataset_.stored.kind == h5::StoredType::Kind::binary32 && !has_zero_point_; }

  /// Index along the dataset's axis; 0 where it has none.
  [[nodiscard]] std::size_t channel(std::int64_t element) const {
    return extent_ == 1 ? 0 : static_cast<std::size_t>(element / stride_ % extent_);
  }

 private:
  void make_table();
  void append(double number, std::int64_t element);
  void append_beyond(const formats::Exact& value);
  void append_code(formats::Code code, std::int64_t element);
  [[nodiscard]] formats::Code code_of(formats::UInt128 pattern, bool negative, std::int64_t element) const;
  [[nodiscard]] std::size_t zero_point_index(std::int64_t element) const { return dataset_.zero_point.size() == 1 ? 0 : channel(element); }
  [[nodiscard]] const formats::Exact& zero_point(std::int64_t element) const { return dataset_.zero_point[zero_point_index(element)]; }
  template <class Integer>
  void append_integers(std::int64_t first, std::span<const std::byte> run);
  template <class Float>
  void append_floats(std::int64_t first, std::span<const std::byte> run);

  const Dataset& dataset_;
  std::optional<formats::Format> format_;  ///< of raw codes, and of floats of 2 bytes
  int width_ = 0;
  std::vector<double> table_;  ///< value by code; only for up to 16 bits, and where binary64 holds all of them
  bool has_zero_point_ = false;
  std::vector<std::optional<double>> zero_points_;  ///< as binary64, nothing for those that it does not hold
  std::int64_t stride_ = 1, extent_ = 1;
  DecodedRun decoded_;
};

}  // namespace accsim::traces
