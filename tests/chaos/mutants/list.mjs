// Mistakes that somebody could make, each as the edits that make it. The harness has to notice
// every one: npm run chaos -- --mutants. An edit's text occurs once in its file; mutants.test.mjs
// sees to it that this stays so.

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {{ file: string, find: string, put: string }[]} edits
 */

/** @type {Mutant[]} */
export const MUTANTS = [
  {
    name: 'the answer leaves before the commit',
    edits: [
      {
        file: 'host/sql.js',
        find: '  return (core) => (statementAt, statementLength, argsAt, argsLength) => {\n',
        put: `  const late = [];
  const flush = () => {
    for (const [text, args] of late.splice(0)) sql.exec(text, ...args);
  };
  return (core) => (statementAt, statementLength, argsAt, argsLength) => {
`,
      },
      {
        file: 'host/sql.js',
        find: '      const cursor = sql.exec(statement.text, '
          + '...readArgs(core, argsAt, argsLength));\n',
        put: `      const args = readArgs(core, argsAt, argsLength)
        .map((one) => (one instanceof Uint8Array ? one.slice() : one));
      if (/^\\s*(INSERT|UPDATE|DELETE)/i.test(statement.text) && !statement.hasRows) {
        late.push([statement.text, args]);
        setTimeout(flush, 30);
        return 0;
      }
      flush();
      const cursor = sql.exec(statement.text, ...args);
`,
      },
    ],
  },
  {
    name: 'one lease in eight is not written down',
    edits: [{
      file: 'src/engine/journal.rs',
      find: '                Some(entry) => put.push((seq, *entry)),\n',
      put: '                Some(entry) if seq % 8 != 3 => put.push((seq, *entry)),\n'
        + '                Some(_) => {}\n',
    }],
  },
  {
    name: 'an acknowledgement is not written down',
    edits: [{
      file: 'src/engine/journal.rs',
      find: '                None => removed.push(seq),\n',
      put: '                None => {}\n',
    }],
  },
  {
    name: 'the stock is taken to one more than there is',
    edits: [{
      file: 'src/engine/admission.rs',
      find: 'self.meta.accepted >= max)',
      put: 'self.meta.accepted > max)',
    }],
  },
  {
    name: 'the backlog is taken to one more than there may be',
    edits: [{
      file: 'src/engine/admission.rs',
      find: 'let full = self.depth() >= capacity.max_messages',
      put: 'let full = self.depth() > capacity.max_messages',
    }],
  },
  {
    name: 'idempotency keys are gone after a restart',
    edits: [{
      file: 'src/engine/recovery.rs',
      find: 'queue.idempotency = Idempotency::recovered(answers, journaled);',
      put: 'drop((answers, journaled));',
    }],
  },
  {
    name: 'any lease of a message acknowledges it',
    edits: [{
      file: 'src/engine/ack.rs',
      find: 'Status::Leased { lease, until_ms } '
        + 'if lease == lease_id.lease && until_ms > now_ms => {',
      put: 'Status::Leased { .. } => {\n                let _ = now_ms;',
    }],
  },
  {
    name: 'the count of a key is not written down',
    edits: [{
      file: 'src/engine/key_count.rs',
      find: '.filter(|(_, (_, dirty))| *dirty)',
      put: '.filter(|(_, (n, dirty))| *dirty && *n != 2)',
    }],
  },
  {
    name: 'the journal is written over before the checkpoint',
    edits: [{
      file: 'src/engine/journal.rs',
      find: '(small.meta.number % JOURNAL_SLOTS).into(),',
      put: '(small.meta.number % (JOURNAL_SLOTS / 16)).into(),',
    }],
  },
  {
    name: 'a segment is written over while messages of it are out',
    edits: [{
      file: 'src/engine/pull.rs',
      find: 'if !self.outstanding.holds_segment(id) {',
      put: 'if id > 0 {',
    }],
  },
  {
    name: 'a topic gives its last number again after a restart',
    edits: [
      {
        file: 'src/engine/topic/recovery.rs',
        find: '        topic.recover_log(sql)?;\n',
        put: '        topic.recover_log(sql)?;\n'
          + '        topic.log.next_seq = topic.log.next_seq.max(2) - 1;\n',
      },
      {
        file: 'src/engine/topic/rows.rs',
        find: '"INSERT INTO segments (id',
        put: '"INSERT OR REPLACE INTO segments (id',
      },
    ],
  },
  {
    name: 'a message that is given back leaves its line',
    edits: [{
      file: 'src/engine/ack.rs',
      find: `                until_ms: turn.now_ms + delay_ms,
            },
        };
        self.outstanding.put(seq, Entry { status, ..entry });
`,
      put: `                until_ms: turn.now_ms + delay_ms,
            },
        };
        self.outstanding.put(seq, Entry { status, line: 0, ..entry });
`,
    }],
  },
  {
    name: 'a hold that ran out gives two places back',
    edits: [{
      file: 'src/engine/clock.rs',
      find: '            self.give_back(turn, key.as_deref())?;\n        }\n'
        + '        self.finished_singles.push(seq);\n',
      put: '            self.give_back(turn, key.as_deref())?;\n'
        + '            self.give_back(turn, key.as_deref())?;\n        }\n'
        + '        self.finished_singles.push(seq);\n',
    }],
  },
  {
    name: 'the clock runs ahead to an alarm that was set anew',
    edits: [{
      file: 'host/object.js',
      find: 'this.firedAt = Math.min(this.alarmAt, scheduledTime);',
      put: 'this.firedAt = this.alarmAt;',
    }],
  },
  {
    name: 'a queue takes what a topic hands on twice',
    edits: [{
      file: 'src/engine/publish.rs',
      find: 'if self.idempotency.find(turn.sql, print, since_ms)?.is_none() {',
      put: 'self.idempotency.find(turn.sql, print, since_ms)?;\n            {',
    }],
  },
  {
    name: 'a live reader whose socket was lost goes on one too late',
    edits: [{
      file: 'host/feed.js',
      find: 'core.exports.edge_follow(core.putText(this.stream), this.next);',
      put: 'if (this.next > 0) this.next += 1;\n'
        + '    core.exports.edge_follow(core.putText(this.stream), this.next);',
    }],
  },
  {
    name: 'an endpoint that fails counts as one that took the message',
    edits: [{
      file: 'src/push/outcome.rs',
      find: 'if (200..300).contains(&answer.status) {',
      put: 'if (200..600).contains(&answer.status) {',
    }],
  },
];
