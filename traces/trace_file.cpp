// A trace file: its layers, and one layer's pass at a time, checked or read.
#include "traces/trace_file.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "formats/error.h"
#include "traces/hdf5_attribute.h"
#include "traces/lower.h"
#include "traces/scan.h"
#include "traces/tensor_reader.h"

namespace accsim::traces {
namespace {

using h5::Handle;
using h5::quoted;
using sim::Pass;

constexpr const char* trace_schema = "accsim-trace/1";
constexpr const char* accepted_file = "an HDF5 file of schema accsim-trace/1";

/// Opens for reading, after the mistakes that have plainer names than HDF5 gives them.
Handle open_file(const std::filesystem::path& path) {
  h5::silence();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw InputError("", "no such file", accepted_file);
  if (std::filesystem::is_directory(status)) throw InputError("", "a directory", accepted_file);
  if (!std::filesystem::is_regular_file(status)) throw InputError("", "not a regular file", accepted_file);
  if (std::filesystem::file_size(path, error) == 0) throw InputError("", "an empty file", accepted_file);
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 == 0) throw InputError("", "not an HDF5 file", accepted_file);
  Handle file{is_hdf5 < 0 ? H5I_INVALID_HID : H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose};
  if (!file) throw InputError("", "cannot be opened: " + h5::last_error(), accepted_file);
  return file;
}

void check_schema(hid_t file) {
  const Handle root = h5::owned(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, "open the root group");
  const auto found = h5::text_attribute(root.get(), "schema");
  if (found && *found != trace_schema)
    throw InputError(quoted("attribute", "schema"), "\"" + *found + "\"", std::string("\"") + trace_schema + "\", or none");
}

/// A path prefix step_DIGITS/, as spelled and as a number.
struct Step {
  std::string spelled;
  std::int64_t number = 0;
};

std::optional<Step> step_of(const std::string& path) {
  constexpr std::string_view prefix = "step_";
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos || !path.starts_with(prefix)) return std::nullopt;
  Step step{path.substr(0, slash), 0};
  const char* begin = step.spelled.data() + prefix.size();
  const char* end = step.spelled.data() + step.spelled.size();
  const auto [stop, error] = std::from_chars(begin, end, step.number);
  if (error != std::errc{} || stop != end || *begin == '-') return std::nullopt;
  return step;
}

/// A step number that two groups spell differently would be one step twice.
void check_steps(const std::vector<FoundLayer>& found) {
  std::map<std::int64_t, std::string> spelled;
  for (const FoundLayer& layer : found) {
    const auto step = step_of(layer.path);
    if (!step) continue;
    const auto [known, is_new] = spelled.emplace(step->number, step->spelled);
    if (is_new || known->second == step->spelled) continue;
    throw InputError(
        "", "groups \"" + known->second + "\" and \"" + step->spelled + "\" are both training step " + std::to_string(step->number),
        "one group for each training step");
  }
}

/// Datasets in the order in which the op has them, then the others by name.
std::vector<std::string> in_order(const std::string& op, std::vector<std::string> names) {
  const auto known = std::find_if(ops().begin(), ops().end(), [&](const Op& o) { return o.name == op; });
  if (known == ops().end()) return names;
  const auto place = [&](const std::string& name) {
    return std::find(known->datasets.begin(), known->datasets.end(), name) - known->datasets.begin();
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return names;
}

void add_problem(LayerInfo& info, const InputError& error) {
  const std::string text = error.what();
  if (std::find(info.problems.begin(), info.problems.end(), text) == info.problems.end()) info.problems.push_back(text);
}

InputError leads_nowhere() { return {"", "a link that leads nowhere", "a link to a group or dataset"}; }

/// The facts of everything that a pass reads.
struct PassFacts {
  Plan plan;
  Dataset a, b;
  std::optional<Dataset> bias;
};

PassFacts read_facts(const LayerGroup& layer, Pass pass) {
  PassFacts facts;
  facts.plan = plan(layer, pass);
  facts.a = read_dataset_facts(layer.id(), facts.plan.a.dataset);
  facts.b = read_dataset_facts(layer.id(), facts.plan.b.dataset);
  if (facts.plan.bias) facts.bias = read_dataset_facts(layer.id(), *facts.plan.bias);
  return facts;
}

template <class Read>
auto in_dataset(const std::string& name, Read&& read) {
  return h5::within(quoted("dataset", name), std::forward<Read>(read));
}

LayerInfo describe(hid_t file, const FoundLayer& found) {
  LayerInfo info;
  info.name = found.path;
  if (const auto step = step_of(found.path)) info.step = step->number;
  if (found.is_dangling) {
    add_problem(info, leads_nowhere());
    return info;
  }
  const LayerGroup layer(file, found.path);
  try {
    info.op = layer.op();
    info.loss_scale = layer.loss_scale();
  } catch (const InputError& error) {
    add_problem(info, error);
  }
  for (const std::string& name : in_order(info.op, layer.datasets())) info.datasets.push_back(describe_dataset(layer.id(), name));
  for (const Pass pass : {Pass::fprop, Pass::dgrad, Pass::wgrad}) {
    if (!TraceFile::has_pass(info, pass)) continue;
    try {
      (void)read_facts(layer, pass);
    } catch (const InputError& error) {
      add_problem(info, error);
    }
  }
  return info;
}

}  // namespace

const DatasetInfo* LayerInfo::dataset(std::string_view wanted) const {
  const auto found = std::find_if(datasets.begin(), datasets.end(), [&](const DatasetInfo& d) { return d.name == wanted; });
  return found == datasets.end() ? nullptr : &*found;
}

struct TraceFile::Impl {
  std::filesystem::path path;
  Handle file;
  std::vector<LayerInfo> layers;
  std::set<std::string> dangling;  ///< names among `layers` that are links to nothing

  void open() {
    file = open_file(path);
    check_schema(file.get());
    const std::vector<FoundLayer> found = find_layers(file.get());
    if (std::none_of(found.begin(), found.end(), [](const FoundLayer& f) { return !f.is_dangling; })) {
      throw InputError("", "no layer", "at least one group with a string attribute \"op\"");
    }
    check_steps(found);
    for (const FoundLayer& f : found) {
      layers.push_back(h5::within(quoted("layer", f.path), [&] { return describe(file.get(), f); }));
      if (f.is_dangling) dangling.insert(f.path);
      layers.back().rank = static_cast<std::uint32_t>(layers.size() - 1);
    }
  }

  /// Runs f on the layer; mistakes name file and layer.
  template <class F>
  auto in_layer(const LayerInfo& layer, F&& f) const {
    return h5::within(path.string(), [&] {
      return h5::within(quoted("layer", layer.name), [&] {
        if (dangling.contains(layer.name)) throw leads_nowhere();
        return f(LayerGroup(file.get(), layer.name));
      });
    });
  }
};

TraceFile::TraceFile(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  h5::within(path.string(), [&] { impl_->open(); });
}

TraceFile::~TraceFile() = default;
TraceFile::TraceFile(TraceFile&&) noexcept = default;

std::span<const LayerInfo> TraceFile::layers() const { return impl_->layers; }
const std::filesystem::path& TraceFile::path() const { return impl_->path; }

bool TraceFile::has_pass(const LayerInfo& layer, Pass pass) { return pass == Pass::fprop || layer.dataset("grad_output") != nullptr; }

std::int64_t TraceFile::check(const LayerInfo& layer, Pass pass) const {
  return impl_->in_layer(layer, [&](const LayerGroup& group) {
    const PassFacts facts = read_facts(group, pass);
    in_dataset(facts.plan.a.dataset, [&] { check_elements(facts.a); });
    in_dataset(facts.plan.b.dataset, [&] { check_elements(facts.b); });
    if (facts.bias) in_dataset(*facts.plan.bias, [&] { check_elements(*facts.bias); });
    const sim::Lowering& l = *facts.plan.lowering;
    return l.m * l.n * l.k * l.batch;
  });
}

LayerPass TraceFile::load(const LayerInfo& layer, Pass pass) const {
  return impl_->in_layer(layer, [&](const LayerGroup& group) {
    PassFacts facts = read_facts(group, pass);
    LayerPass loaded;
    loaded.a = in_dataset(facts.plan.a.dataset, [&] { return read_tensor(facts.a, facts.plan.a.summed); });
    loaded.b = in_dataset(facts.plan.b.dataset, [&] { return read_tensor(facts.b, facts.plan.b.summed); });
    if (facts.bias) loaded.bias = in_dataset(*facts.plan.bias, [&] { return read_tensor(*facts.bias, {}); });
    loaded.lowering = std::move(facts.plan.lowering);
    return loaded;
  });
}

sim::Tensor TraceFile::load_dataset(const LayerInfo& layer, const std::string& name) const {
  return impl_->in_layer(layer, [&](const LayerGroup& group) {
    const Dataset dataset = read_dataset_facts(group.id(), name);
    return in_dataset(name, [&] { return read_tensor(dataset, {}); });
  });
}

double TraceFile::loss_scale(const LayerInfo& layer) const {
  return impl_->in_layer(layer, [](const LayerGroup& group) { return group.loss_scale().value_or(1.0); });
}

}  // namespace accsim::traces
