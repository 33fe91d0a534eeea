package qaoed

import (
	"fmt"
	"io"
	"strings"
)

// This file is qdctl's side of the API: requests, and what it says of replies.

// apiClient talks to a daemon.
type apiClient struct{ conn io.ReadWriter }

// ask sends a request and reads its reply.
func (c *apiClient) ask(command Command, argument []byte) (Code, []byte, error) {
	request := Header{Command: command, Length: uint32(len(argument))}.Append(nil)
	if _, err := c.conn.Write(append(request, argument...)); err != nil {
		return 0, nil, err
	}
	var head [HeaderSize]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, nil, err
	}
	h := DecodeHeader(head[:])
	switch {
	case h.Command != command || h.Type != isReply:
		return 0, nil, fmt.Errorf("%w: command %d, type %d to a request of command %d", errMalformed, h.Command, h.Type, command)
	case h.Length > maxReply:
		return 0, nil, fmt.Errorf("%w: of %d bytes", errMalformed, h.Length)
	}
	payload, err := io.ReadAll(io.LimitReader(c.conn, int64(h.Length)))
	if err == nil && len(payload) < int(h.Length) {
		err = fmt.Errorf("%w: %d bytes of %d", errMalformed, len(payload), h.Length)
	}
	return h.Error, payload, err
}

// show asks for a list and has it printed.
func show(command Command, print func([]byte) (string, error)) talk {
	return func(c *apiClient) (string, error) {
		code, payload, err := c.ask(command, nil)
		switch {
		case err != nil:
			return "", err
		case code != CodeOK:
			return "Command failed\n", nil
		}
		return print(payload)
	}
}

const commandFailed = "Command failed!\n"

func (c *apiClient) add(t Target) (string, error) {
	code, payload, err := c.ask(CmdTargetAdd, t.Append(nil))
	switch {
	case err != nil:
		return "", err
	case code != CodeOK:
		return commandFailed, nil
	}
	if t, err = DecodeTarget(payload); err != nil {
		return "", err
	}
	return fmt.Sprintf("Successfully added new target\nTarget: %s\nShelf:  %d\nSlot:   %d\nInterface: %s\nBroadcast: %d\nWritecache: %d\n",
		t.Path, t.Shelf, t.Slot, t.Interface, t.Broadcast, t.Writecache), nil
}

func (c *apiClient) remove(t Target) (string, error) {
	code, _, err := c.ask(CmdTargetDelete, t.Append(nil))
	switch {
	case err != nil:
		return "", err
	case code != CodeOK:
		return commandFailed, nil
	}
	return "Command completed successfully\n", nil
}

// setMTU asks first whether there is such an interface, as the original did;
// unlike that, it waits for the answer to what it sets.
func (c *apiClient) setMTU(i InterfaceCommand) (string, error) {
	code, _, err := c.ask(CmdInterfaceStatus, i.Append(nil))
	switch {
	case err != nil:
		return "", err
	case code != CodeOK:
		return fmt.Sprintf("Status request failed\nNo such interface configured: %s\n", i.Name), nil
	}
	if code, _, err = c.ask(CmdSetMTU, i.Append(nil)); err == nil && code != CodeOK {
		return commandFailed, nil
	}
	return "", err
}

func showStatus(payload []byte) (string, error) {
	s, err := DecodeStatus(payload)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Qaoed status: \n   Running threads:   %d\n   exported targets:  %d\n   open interfaces:   %d\n",
		s.Threads, s.Targets, s.Interfaces), nil
}

func showTargets(payload []byte) (string, error) {
	return rows("NAME"+strings.Repeat(" ", 33)+"SHELF    SLOT     INTERFACE\n\n", payload, targetSize, DecodeTarget, func(t Target) string {
		return fmt.Sprintf("%-35s %6d  %6d    %10s\n", t.Path, t.Shelf, t.Slot, t.Interface)
	})
}

func showInterfaces(payload []byte) (string, error) {
	return rows("INTERFACE"+strings.Repeat(" ", 19)+"HWADDR      MTU\n\n", payload, interfaceInfoSize, DecodeInterfaceInfo, func(i InterfaceInfo) string {
		return fmt.Sprintf("%-10s       %s     %d\n", i.Name, strings.ToUpper(i.MAC.String()), i.MTU)
	})
}

func showLists(payload []byte) (string, error) {
	return rows("", payload, listInfoSize, DecodeListInfo, func(l ListInfo) string {
		return fmt.Sprintf("acl -- %s\n", l.Name)
	})
}

// rows prints a list of structures of one size.
func rows[T any](title string, payload []byte, size int, decode func([]byte) (T, error), print func(T) string) (string, error) {
	var b strings.Builder
	b.WriteString(title)
	if len(payload)%size != 0 {
		return "", fmt.Errorf("%w: a list of %d bytes, %d each", errMalformed, len(payload), size)
	}
	for ; len(payload) > 0; payload = payload[size:] {
		one, err := decode(payload[:size])
		if err != nil {
			return "", err
		}
		b.WriteString(print(one))
	}
	return b.String(), nil
}
