// Every unit with every planted bug; +unit and +bug choose which one runs.
module rtl_bench;
  genvar bug;
  generate
    for (bug = 0; bug < 4; bug = bug + 1) begin : with_bug
      mac_bench #(.UNIT(0), .BUG(bug), .A(12), .B(12), .ACC(12), .LATENCY(3), .HAS_PRODUCT(1)) fp12 ();
      mac_bench #(.UNIT(1), .BUG(bug), .A(8), .B(8), .ACC(12)) stochastic ();
      mac_bench #(.UNIT(2), .BUG(bug), .A(8), .B(8), .ACC(16)) wrap ();
      mac_bench #(.UNIT(3), .BUG(bug), .A(8), .B(8), .ACC(16)) saturate ();
      cycle_bench #(.UNIT(10), .BUG(bug), .IN(18), .OUT(2)) adder_tree ();
      cycle_bench #(.UNIT(11), .BUG(bug), .IN(11), .OUT(2)) multiplier ();
      cycle_bench #(.UNIT(12), .BUG(bug), .IN(67), .OUT(65)) array ();
      cycle_bench #(.UNIT(13), .BUG(bug), .IN(91), .OUT(20)) inner_product ();
      cycle_bench #(.UNIT(14), .BUG(bug), .IN(5), .OUT(2)) serial_multiplier ();
      cycle_bench #(.UNIT(15), .BUG(bug), .IN(20), .OUT(18)) interleaved ();
    end
  endgenerate
endmodule
