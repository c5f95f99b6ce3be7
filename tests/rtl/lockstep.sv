// The model that a bench runs beside its unit: made from +datapath and +options, its mismatches told at the end. With DPI only.
package lockstep;
  import accsim_dpi_pkg::*;

  function automatic chandle made_model();
    string datapath, options;
    if (!$value$plusargs("datapath=%s", datapath)) $display("no +datapath");
    if (!$value$plusargs("options=%s", options)) options = "";
    made_model = accsim_create(ACCSIM_DPI_VERSION, datapath, options);
    if (made_model == null) begin
      $display("no model: %s", accsim_last_error(null));
      $finish;
    end
  endfunction

  // Ends the simulation where a call has failed.
  function automatic void require(chandle model, int status);
    if (status < 0) begin
      $display("%s", accsim_last_error(model));
      $finish;
    end
  endfunction

  function automatic void tell_mismatches(chandle model);
    for (int i = 0; i < accsim_error_count(model) && i < 3; i++) $display("%s", accsim_error_text(model, i));
    $display("lockstep: %0d mismatches", accsim_error_count(model));
    accsim_destroy(model);
  endfunction
endpackage
