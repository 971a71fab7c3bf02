import { Kbd, Modal, Table } from '@mantine/core';

const keys: [string, string][] = [
  ['j, k', 'the next file, the one before'],
  ['n, p', 'the next talk, the one before'],
  ['c', 'say something of the file that is in front, at its first change'],
  ['v', 'it is viewed, or not'],
  ['s', 'side by side, or in one column'],
  ['w', 'hide changes of white space, or show them'],
  ['f', 'filter the files'],
  ['?', 'these keys'],
];

/** The keys of the page of changes. */
export function Keys({ close }: { close: () => void }) {
  return (
    <Modal opened onClose={close} title="Keys" centered>
      <Table>
        <Table.Tbody>
          {keys.map(([key, what]) => (
            <Table.Tr key={key}>
              <Table.Td>
                <Kbd>{key}</Kbd>
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
