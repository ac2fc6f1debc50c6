"use strict";
// The two questions of energy/report/page/choosing.py, for any limit. An option is {case, dice, kj}; null: none keeps the limit.
const choosing = {
  cheapest(options, leastDice) {
    let chosen = null;
    for (const option of options) {
      if (!(option.dice >= leastDice)) continue;
      if (chosen === null || option.kj < chosen.kj || (option.kj === chosen.kj && option.dice > chosen.dice)) chosen = option;
    }
    return chosen;
  },
  best(options, mostKj) {
    let chosen = null;
    for (const option of options) {
      if (!(option.kj <= mostKj)) continue;
      if (chosen === null || option.dice > chosen.dice || (option.dice === chosen.dice && option.kj < chosen.kj)) chosen = option;
    }
    return chosen;
  },
};
