// Builds one renderer on a fresh nunjucks and takes from templates what could hurt the server:
// the way to JavaScript itself, and any step whose result can be far larger than what it was given.
//
// nunjucks writes its compiled template as JavaScript source and trusts a few names in it; verify() refuses
// what is not a plain name there. Memory is bounded by a budget: everything that makes text, lists or objects bills it.
(function (nunjucks, host, style) {
  'use strict';

  var runtime = nunjucks.runtime, nodes = nunjucks.nodes, Compiler = nunjucks.compiler.Compiler;
  var hasOwn = Object.prototype.hasOwnProperty, getPrototypeOf = Object.getPrototypeOf;
  var stringifyJSON = JSON.stringify, parseJSON = JSON.parse;

  // --- the budget ---
  var spent = 0, depth = 0;
  function charge(n) {
    spent += n;
    if (spent > host.budget) {
      throw new Error('the template makes more text and lists than ' + host.budget + ' bytes; make its loops and repetitions smaller');
    }
  }
  function bill(value) {
    if (typeof value === 'string') charge(value.length);
    else if (Array.isArray(value)) charge(8 * value.length);
    return value;
  }
  function entries(object) {
    var n = 0;
    if (object !== null && typeof object === 'object') for (var key in object) if (hasOwn.call(object, key)) n++;
    return 32 * n;
  }
  // What a filter makes, with the lists in it: batch, dictsort and groupby make many of one.
  function billed(fn) {
    return function () {
      var made = bill(fn.apply(this, arguments));
      if (Array.isArray(made)) made.forEach(function (item) { if (Array.isArray(item)) charge(24 + 8 * item.length); });
      else if (made !== null && typeof made === 'object') Object.keys(made).forEach(function (key) { charge(32); bill(made[key]); });
      return made;
    };
  }
  function descend() {
    if (++depth > host.depth) {
      depth = 0;
      throw new Error('a value is nested more than ' + host.depth + ' levels deep');
    }
  }

  // --- what the language itself offers to templates ---
  var RealRegExp = RegExp;
  function guardedRegExp(pattern, flags) {
    if (pattern instanceof RealRegExp) return pattern;
    pattern = pattern === undefined ? '(?:)' : String(pattern);
    host.checkPattern(pattern);
    return new RealRegExp(pattern, flags);
  }
  guardedRegExp.prototype = RealRegExp.prototype;
  Object.defineProperty(globalThis, 'RegExp', { value: guardedRegExp, writable: false });

  function override(proto, name, make) {
    var original = proto[name];
    Object.defineProperty(proto, name, { value: make(original), writable: false, configurable: false, enumerable: false });
  }
  function repeating(original) {
    return function (count) { charge(this.length * Math.max(0, +count || 0)); return original.call(this, count); };
  }
  function padding(original) {
    return function (width) { charge(Math.max(this.length, +width || 0)); return original.apply(this, arguments); };
  }
  function searching(original) {
    return function (pattern) {
      charge(8 * this.length);
      return original.call(this, guardedRegExp(pattern, original === matchAll ? 'g' : ''));
    };
  }
  function replacing(all) {
    return function (original) {
      return function (pattern, replacement) {
        var text = String(this), count = 1;
        if (pattern instanceof RealRegExp) {
          if (pattern.global) count = (match.call(text, pattern) || []).length;
        } else {
          pattern = String(pattern);
          if (all) count = pattern === '' ? text.length + 1 : split.call(text, pattern).length - 1;
        }
        charge(text.length);
        if (typeof replacement !== 'function') {
          replacement = String(replacement);
          var inserts = split.call(replacement, '$').length - 1;
          charge(count * (replacement.length + inserts * text.length));
        }
        return original.call(text, pattern, replacement);
      };
    };
  }
  var match = String.prototype.match, matchAll = String.prototype.matchAll, split = String.prototype.split;
  override(String.prototype, 'repeat', repeating);
  override(String.prototype, 'padStart', padding);
  override(String.prototype, 'padEnd', padding);
  override(String.prototype, 'match', searching);
  override(String.prototype, 'matchAll', searching);
  override(String.prototype, 'search', searching);
  override(String.prototype, 'replace', replacing(false));
  override(String.prototype, 'replaceAll', replacing(true));
  override(String.prototype, 'split', function (original) {
    return function () { charge(8 * this.length); return original.apply(this, arguments); };
  });
  override(String.prototype, 'concat', function (original) {
    return function () { return bill(original.apply(this, arguments)); };
  });
  override(Array.prototype, 'join', function (original) {
    return function (separator) {
      separator = separator === undefined ? ',' : String(separator);
      charge(separator.length * this.length);
      descend();
      var parts = [];
      for (var i = 0; i < this.length; i++) {
        var item = this[i], text = item === undefined || item === null ? '' : String(item);
        charge(text.length + 1);
        parts[i] = text;
      }
      depth--;
      return original.call(parts, separator);
    };
  });
  override(Array.prototype, 'toString', function () { return function () { return this.join(); }; });
  override(Array.prototype, 'toLocaleString', function () { return function () { return this.join(); }; });
  override(Array.prototype, 'concat', function (original) {
    return function () {
      var size = this.length;
      for (var i = 0; i < arguments.length; i++) size += Array.isArray(arguments[i]) ? arguments[i].length : 1;
      charge(8 * size);
      return original.apply(this, arguments);
    };
  });
  override(Array.prototype, 'flat', function () {
    return function (levels) {
      var result = [];
      (function add(list, left) {
        descend();
        for (var i = 0; i < list.length; i++) {
          if (Array.isArray(list[i]) && left > 0) add(list[i], left - 1);
          else { charge(8); result.push(list[i]); }
        }
        depth--;
      })(this, levels === undefined ? 1 : +levels || 0);
      return result;
    };
  });
  override(Array.prototype, 'flatMap', function () {
    return function (fn, self) { return this.map(fn, self).flat(); };
  });
  override(Array.prototype, 'fill', function (original) {
    return function () { charge(8 * this.length); return original.apply(this, arguments); };
  });

  // --- JSON of a value a template made: shared parts make it exponential, so it is measured first ---
  function measure(value) {
    if (typeof value === 'string') return charge(value.length + 2);
    charge(8);
    if (value === null || typeof value !== 'object') return undefined;
    descend();
    if (Array.isArray(value)) {
      for (var i = 0; i < value.length; i++) measure(value[i]);
    } else {
      for (var key in value) {
        if (hasOwn.call(value, key)) { charge(key.length + 4); measure(value[key]); }
      }
    }
    depth--;
    return undefined;
  }
  function stringify(value, indent) {
    measure(value);
    return stringifyJSON(value, null, typeof indent === 'number' ? Math.min(indent, 10) : indent);
  }

  // --- looking up and calling ---
  var uninstall = style.compat ? nunjucks.installJinjaCompat() : null;
  var hidden = Object.create(null);
  ['constructor', 'prototype', '__proto__', '__defineGetter__', '__defineSetter__', '__lookupGetter__',
    '__lookupSetter__', 'caller', 'callee', 'arguments'].forEach(function (name) { hidden[name] = true; });
  function isHidden(object, key) {
    return hidden[key] === true && !(typeof object === 'object' && object !== null && hasOwn.call(object, key) && typeof object[key] !== 'function');
  }
  // A slice counts on from its first position; by nothing, or by a part of one, it would not get to its end.
  function whole(number, otherwise) {
    if (number === null || number === undefined) return otherwise;
    number = Math.trunc(number);
    if (number !== number || number === 0 && otherwise === 1) throw new Error('a slice needs whole numbers, and a step other than 0');
    return number;
  }
  var plainLookup = runtime.memberLookup;
  runtime.memberLookup = function (object, key) {
    if (typeof object === 'function') return undefined;
    if (arguments.length === 4) return bill(plainLookup.call(this, object, whole(key, null), whole(arguments[2], null), whole(arguments[3], 1)));
    if (key !== null && (typeof key === 'object' || typeof key === 'function')) key = String(key);
    if (isHidden(object, key)) return undefined;
    var found = plainLookup.call(this, object, key);
    if (typeof found !== 'function') return found;
    return function () {
      if (style.compat && !Array.isArray(object) && arguments.length > 0 && typeof object === 'object' && isHidden(object, String(arguments[0]))) {
        return arguments[1];
      }
      charge(32);
      if (style.compat && key === 'update') charge(entries(arguments[0]));
      if (style.compat && (key === 'items' || key === 'iteritems')) charge(2 * entries(object));
      return bill(found.apply(this, arguments));
    };
  };
  // Nothing that is called gets to see the context, which is the way to all that the renderer holds.
  runtime.callWrap = (function (original) {
    return function (fn, name, context, args) { charge(8 + 8 * args.length); return bill(original(fn, name, undefined, args)); };
  })(runtime.callWrap);
  // A name is what the template or its values made of it, and never what every JavaScript object has.
  var constants = style.compat ? { True: true, False: false, None: null } : {};
  runtime.contextOrFrameLookup = function (context, frame, name) {
    var found = frame.lookup(name);
    if (found !== undefined) return found;
    if (hasOwn.call(context.ctx, name)) found = context.ctx[name];
    else if (hasOwn.call(environment.globals, name)) found = environment.globals[name];
    return found === undefined && hasOwn.call(constants, name) ? constants[name] : found;
  };

  var captured, capturing = false;
  runtime.suppressValue = function (value) {
    if (capturing) { captured = value; return ''; }
    if (value === undefined || value === null) return '';
    if (typeof value !== 'string') value = '' + value;
    charge(value.length);
    return value;
  };
  runtime.bill = bill;
  runtime.charge = charge;
  var frameSet = runtime.Frame.prototype.set;
  runtime.Frame.prototype.set = function (name, value, up) {
    bill(value);
    return frameSet.call(this, name, value, up);
  };

  // Errors at run time keep where they are; nunjucks counts these from 0.
  runtime.handleError = (function (original) {
    return function (error, line, column) {
      if (error.lineno || error.place) return error;
      var located = original(error, line, column);
      located.place = [line + 1, column + 1];
      return located;
    };
  })(runtime.handleError);

  // --- the compiler: operands of "+" and "~" are billed, filters know their line ---
  var binary = Compiler.prototype._binOpEmitter;
  Compiler.prototype._binOpEmitter = function (node, frame, operator) {
    if (operator.indexOf('+') < 0) return binary.call(this, node, frame, operator);
    operand(this, node.left, frame);
    this._emit(operator);
    operand(this, node.right, frame);
    return undefined;
  };
  function operand(compiler, node, frame) {
    if ([nodes.BinOp, nodes.Not, nodes.Neg, nodes.Pos, nodes.Compare, nodes.Literal].some(function (kind) { return node instanceof kind; })) {
      compiler.compile(node, frame);
      return;
    }
    compiler._emit('runtime.bill(');
    compiler.compile(node, frame);
    compiler._emit(')');
  }
  // Literals are billed each time that they are made; the arguments with names of a call are an object too.
  function literal(method, each) {
    var original = Compiler.prototype[method];
    Compiler.prototype[method] = function (node, frame) {
      this._emit('(runtime.charge(' + (32 + each * node.children.length) + '), ');
      original.call(this, node, frame);
      this._emit(')');
    };
  }
  literal('compileArray', 8);
  literal('compileDict', 32);
  var compileFilter = Compiler.prototype.compileFilter;
  Compiler.prototype.compileFilter = function (node, frame) {
    this._emit('(lineno = ' + node.lineno + ', colno = ' + node.colno + ', ');
    compileFilter.call(this, node, frame);
    this._emit(')');
  };
  var nodeName = Compiler.prototype._getNodeName;
  Compiler.prototype._getNodeName = function (node) {
    return String(nodeName.call(this, node)).replace(/[\\\r\n\u2028\u2029]/g, ' ');
  };

  // --- the lexer: nunjucks goes by single characters, which is slow here; the same in runs of them ---
  var Tokenizer = getPrototypeOf(nunjucks.lexer.lex('', {}));
  var extractMatching = Tokenizer._extractMatching;
  Tokenizer._extractMatching = function (breakOnMatch, characters) {
    if (!breakOnMatch || characters.length > 4 || this.isFinished()) return extractMatching.call(this, breakOnMatch, characters);
    var from = this.index, to = this.len;
    if (this.ahead === undefined) this.ahead = Object.create(null);
    for (var i = 0; i < characters.length; i++) {
      var character = characters.charAt(i), next = this.ahead[character];
      if (next === undefined || next < from) {
        next = this.str.indexOf(character, from);
        if (next < 0) next = this.len;
        this.ahead[character] = next;
      }
      if (next < to) to = next;
    }
    var data = this.str.slice(from, to), newline = data.lastIndexOf('\n');
    this.index = to;
    if (newline < 0) {
      this.colno += data.length;
    } else {
      for (var at = newline; at >= 0; at = at > 0 ? data.lastIndexOf('\n', at - 1) : -1) this.lineno++;
      this.colno = data.length - newline - 1;
    }
    return data;
  };

  // --- the syntax tree: wherever a name goes into the generated source it must be a name ---
  var nameLike = /^[^\s"'`\\;&^?@\u0000-\u001f\u007f\u2028\u2029\ufeff]+$/;
  function refuse(node, message) {
    throw new nunjucks.lib.TemplateError(message, node.lineno + 1, node.colno + 1);
  }
  function named(node, what) {
    if (!(node instanceof nodes.Symbol)) refuse(node, what + ' must be a plain name');
  }
  function verifyPairs(list) {
    list.children.forEach(function (pair) {
      if (pair instanceof nodes.Pair) { named(pair.key, 'a name before "="'); named(pair.value, 'the name after "as"'); }
      else named(pair, 'what is imported');
    });
  }
  var rules = {
    For: function (node) {
      if (node.name instanceof nodes.Array) node.name.children.forEach(function (n) { named(n, 'the variable of a loop'); });
      else named(node.name, 'the variable of a loop');
    },
    Set: function (node) { node.targets.forEach(function (n) { named(n, 'what "set" gives a value to'); }); },
    Macro: function (node) {
      named(node.name, 'the name of a macro');
      node.args.children.forEach(function (arg) {
        if (!(arg instanceof nodes.Dict)) return named(arg, 'an argument of a macro');
        return arg.children.forEach(function (pair) { named(pair.key, 'an argument of a macro'); });
      });
    },
    Import: function (node) { named(node.target, 'the name after "as"'); },
    FromImport: function (node) { verifyPairs(node.names); },
    Block: function (node) { named(node.name, 'the name of a block'); },
    Super: function (node) { named(node.blockName, 'the name of a block'); },
    Is: function (node) {
      var right = node.right.name || node.right;
      if (typeof right.value === 'string' && !nameLike.test(right.value)) refuse(node, 'the test after "is" must be a plain name');
      if (!hasOwn.call(environment.tests, String(right.value))) refuse(node, 'test not found: ' + right.value);
    },
    Filter: function (node) {
      named(node.name, 'the name of a filter');
      if (!hasOwn.call(environment.filters, node.name.value)) refuse(node.name, 'filter not found: ' + node.name.value);
    },
    Symbol: function (node) {
      if (!nameLike.test(node.value)) refuse(node, stringifyJSON(node.value) + ' is not a name');
    },
  };
  rules.Caller = function (node) { rules.Macro({ name: new nodes.Symbol(0, 0, 'caller'), args: node.args }); };
  rules.FilterAsync = rules.Filter;
  rules.AsyncEach = rules.AsyncAll = rules.For;
  function verify(node) {
    if (!(node instanceof nodes.Node)) {
      if (Array.isArray(node)) node.forEach(verify);
      return;
    }
    descend();
    if (rules[node.typename]) rules[node.typename](node);
    if (node.children) node.children.forEach(verify);
    node.fields.forEach(function (field) { if (field !== 'children') verify(node[field]); });
    depth--;
  }
  var tree;
  nunjucks.parser.parse = (function (original) {
    return function (text) {
      try {
        tree = original.apply(this, arguments);
      } catch (error) {
        // Where the text ends too early there is no token to tell the place.
        if (error.lineno === undefined) {
          var lines = split.call(text, '\n');
          error.place = [lines.length, lines[lines.length - 1].length + 1];
        }
        throw error;
      }
      verify(tree);
      return tree;
    };
  })(nunjucks.parser.parse);
  function isSingleOutput(root) {
    if (root.children.length !== 1) return false;
    var only = root.children[0];
    return only.typename === 'Output' && only.children.length === 1 && !(only.children[0] instanceof nodes.TemplateData);
  }

  // --- the environment ---
  var noFiles = { getSource: function () { return null; } };
  var environment = new nunjucks.Environment([noFiles], {
    autoescape: false, dev: true, trimBlocks: style.trimBlocks, lstripBlocks: style.lstripBlocks,
    tags: { variableStart: style.compat ? '{{' : '${{', variableEnd: '}}' },
  });
  function outside(name, isFilter) {
    return function () {
      var answer = host.call(isFilter, name, stringify(Array.prototype.slice.call(arguments)));
      return answer === '' ? undefined : parseJSON(answer);
    };
  }
  environment.filters.dump = function (value, indent) { return stringify(value, indent); };
  if (style.compat) environment.filters.jsonify = environment.filters.dump;
  parseJSON(host.filters).forEach(function (name) { environment.filters[name] = outside(name, true); });
  Object.keys(environment.filters).forEach(function (name) { environment.filters[name] = billed(environment.filters[name]); });
  environment.globals.range = (function (range) {
    return function (start, stop, step) {
      var from = stop === undefined ? 0 : +start, to = +(stop === undefined ? start : stop), by = stop === undefined || !step ? 1 : +step;
      charge(8 * Math.max(0, Math.abs((to - from) / by) || 0));
      return range.apply(this, arguments);
    };
  })(environment.globals.range);
  var values = parseJSON(host.globals);
  Object.keys(values).forEach(function (name) { environment.globals[name] = values[name]; });
  parseJSON(host.functions).forEach(function (name) { environment.globals[name] = outside(name, false); });

  // --- no way back to JavaScript ---
  function disabled() { throw new Error('a template may not make functions'); }
  [function () {}, function* () {}, async function () {}].forEach(function (sample) {
    Object.defineProperty(getPrototypeOf(sample), 'constructor', { value: disabled, writable: false, configurable: false });
  });
  ['eval', 'ArrayBuffer', 'SharedArrayBuffer', 'DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array',
    'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'BigInt',
    'Proxy', 'Reflect', 'Promise', 'WeakRef', 'nunjucks', 'self', 'window'].forEach(function (name) { delete globalThis[name]; });
  override(Function.prototype, 'toString', function () { return function () { return 'function () { [native code] }'; }; });
  [Object.prototype, Array.prototype, String.prototype, Number.prototype, Boolean.prototype, RealRegExp.prototype, Function.prototype]
    .forEach(Object.freeze);

  function start() { spent = 0; depth = 0; captured = undefined; capturing = false; }
  function compile(text) { return new nunjucks.Template(text, environment, undefined, true); }
  return {
    check: function (text) { start(); compile(text); return isSingleOutput(tree); },
    render: function (text, json) { start(); return compile(text).render(parseJSON(json)); },
    // Gives [typed, JSON or text]: the raw value when the whole text is one expression; undefined is ''.
    value: function (text, json) {
      start();
      var template = compile(text);
      if (!isSingleOutput(tree)) return [false, template.render(parseJSON(json))];
      capturing = true;
      try { template.render(parseJSON(json)); } finally { capturing = false; }
      var answer = stringify(captured);
      return [true, answer === undefined ? '' : answer];
    },
    uninstall: uninstall,
  };
})
