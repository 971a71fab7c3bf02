import { Button, Group, Modal, Radio, Stack, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Verdict } from '../../api/proposing';
import type { ProposalDetail } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

interface Props {
  proposal: ProposalDetail;
  /** How many comments on lines go along. */
  comments: number;
  busy: boolean;
  error: unknown;
  close: () => void;
  submit: (verdict: Verdict, text: string) => void;
}

export function ReviewDialog({ proposal, comments, busy, error, close, submit }: Props) {
  const mayDecide = proposal.can.includes('approve');
  const [verdict, setVerdict] = useState<Verdict>(mayDecide ? 'approved' : 'commented');
  const [text, setText] = useState('');
  const send = (event: FormEvent) => {
    event.preventDefault();
    submit(verdict, text);
  };
  const empty = verdict !== 'approved' && !text.trim() && (verdict === 'refused' || comments === 0);
  const verb = verdict === 'refused' ? 'refuse' : 'approve';
  return (
    <Modal opened onClose={close} title={`Review ${proposal.title}`} centered size="lg">
      <form onSubmit={send}>
        <Stack>
          <Radio.Group label="Verdict" value={verdict} onChange={(value) => setVerdict(value as Verdict)}>
            <Stack gap="xs" mt="xs">
              <Radio value="approved" label="Approve" disabled={!mayDecide} />
              <Radio value="refused" label="Ask for changes" disabled={!mayDecide} />
              <Radio value="commented" label="Only say something" />
            </Stack>
          </Radio.Group>
          <Textarea
            label="Why"
            placeholder="Markdown"
            autosize
            minRows={3}
            maxRows={16}
            maxLength={65_536}
            value={text}
            data-autofocus
            onChange={(e) => setText(e.currentTarget.value)}
          />
          <Failure error={error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed proposal ${verb} '${proposal.full}' --head ${proposal.head}`} />
            <Button variant="default" onClick={close}>
              Not yet
            </Button>
            <Button type="submit" loading={busy} disabled={empty}>
              Send{comments > 0 ? ` with ${comments} ${comments === 1 ? 'comment' : 'comments'}` : ''}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
